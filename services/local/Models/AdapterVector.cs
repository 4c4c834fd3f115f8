using EcoLora.Codec;
using EcoLora.Formats.Peft;
using EcoLora.Training;

namespace EcoLora.Local;

/// <summary>A PEFT adapter as the engine wants it: one vector of one rank and one scale.</summary>
public static class AdapterVector
{
    /// <summary>
    /// Puts an adapter's pairs at their places for a model. A layer without a pair gets zeros; pairs of a smaller rank are padded with zeros, and
    /// where scales differ B takes up the quotient: B·A·s stays what it was.
    /// </summary>
    /// <param name="adapter">The adapter.</param>
    /// <param name="config">The model.</param>
    /// <param name="name">What the adapter is called in a refusal.</param>
    /// <exception cref="PeftException">A pair belongs to no linear layer of the model, or has other sizes.</exception>
    public static (LoraOptions Options, float[] Vector) Of(PeftAdapter adapter, LlamaConfig config, string name)
    {
        int rank = adapter.Modules.Max(module => module.Rank);
        PeftModule largest = adapter.Modules.First(module => module.Rank == rank);
        string[] kinds = [.. adapter.Modules.Select(module => module.Name[(module.Name.LastIndexOf('.') + 1)..]).Distinct()];
        LoraTargets targets;
        try
        {
            targets = LoraOptions.ParseTargets(kinds);
        }
        catch (ArgumentException)
        {
            throw new PeftException($"{name}: expected pairs for linear layers of decoder layers, found {string.Join(", ", kinds)}");
        }
        var options = new LoraOptions(rank, largest.Alpha, targets, RsLora: adapter.UseRsLora);
        LoraLayout layout = options.LayoutFor(config);
        float[] vector = new float[layout.Length];
        Dictionary<string, LoraTensor> a = Tensors(layout, LoraRole.A), b = Tensors(layout, LoraRole.B);
        foreach (PeftModule module in adapter.Modules)
        {
            if (!a.TryGetValue(module.Name, out LoraTensor? tensorA))
                throw new PeftException($"{name}: module '{module.Name}': expected a layer of the model, found none of that name");
            LoraTensor tensorB = b[module.Name];
            if (module.Inputs != tensorA.Columns || module.Outputs != tensorB.Rows)
            {
                string expected = $"{tensorB.Rows} × {tensorA.Columns} as the model has";
                throw new PeftException($"{name}: module '{module.Name}': expected {expected}, found {module.Outputs} × {module.Inputs}");
            }
            module.A.CopyTo(tensorA.In(vector.AsSpan()));
            CopyB(module, (float)(adapter.ScaleOf(module) / options.Scale), rank, tensorB.In(vector.AsSpan()));
        }
        return (options, vector);
    }

    private static void CopyB(PeftModule module, float factor, int rank, Span<float> destination)
    {
        for (int row = 0; row < module.Outputs; row++)
            for (int column = 0; column < module.Rank; column++)
                destination[row * rank + column] = module.B[row * module.Rank + column] * factor;
    }

    private static Dictionary<string, LoraTensor> Tensors(LoraLayout layout, LoraRole role) =>
        layout.Tensors.Where(tensor => tensor.Role == role).ToDictionary(tensor => tensor.Module, StringComparer.Ordinal);
}
