using EcoLora.Codec;
using EcoLora.Formats.Peft;

namespace EcoLora.Hosting;

/// <summary>Between the LoRA vector and PEFT's adapter folders.</summary>
public static class AdapterExport
{
    /// <summary>
    /// A whole adapter vector as PEFT modules; a frozen A is in it too, since other programs need both. α is written so that α/r is the scale that was
    /// trained with, rank-stabilised or not.
    /// </summary>
    /// <param name="layout">Layout of the whole adapter.</param>
    /// <param name="adapter">The vector.</param>
    /// <param name="lora">The run file's section <c>lora</c>.</param>
    /// <param name="baseModel">The base model: a name, or a folder, of which only the name is recorded.</param>
    public static PeftAdapter ToPeft(LoraLayout layout, ReadOnlySpan<float> adapter, LoraOptions lora, string baseModel)
    {
        Training.LoraOptions options = OptionMap.LoraOf(lora);
        var modules = new List<PeftModule>();
        for (int i = 0; i < layout.Tensors.Count; i += 2)
        {
            LoraTensor a = layout.Tensors[i], b = layout.Tensors[i + 1];
            modules.Add(new PeftModule(a.Module, a.Rows, options.Scale * a.Rows, a.Columns, b.Rows, a.In(adapter).ToArray(), b.In(adapter).ToArray()));
        }
        return new PeftAdapter(Path.GetFileName(Path.TrimEndingDirectorySeparator(baseModel)), modules, options.Dropout);
    }
}
