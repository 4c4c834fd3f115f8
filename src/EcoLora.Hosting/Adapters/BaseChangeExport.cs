using EcoLora.Federation;
using EcoLora.Formats.Peft;
using EcoLora.Numerics;

namespace EcoLora.Hosting;

/// <summary>The change ΔW of a base that a run of FLoRA comes to, as PEFT adapters of the run file's scale s (its α or α of the module's rank, with the same rule).</summary>
/// <param name="plan">The run.</param>
/// <param name="lora">The run file's section <c>lora</c>.</param>
/// <param name="baseModel">The base model's name.</param>
public sealed class BaseChangeExport(RunPlan plan, LoraOptions lora, string baseModel)
{
    /// <summary>The nearest adapter of rank <c>lora.rank</c>: B = U·√(σ/s), A = √(σ/s)·Vᵀ per module.</summary>
    /// <param name="change">ΔW of all modules in order.</param>
    /// <returns>The adapter, and the share of ‖ΔW‖² that it keeps; 1 where ΔW is zero.</returns>
    public (PeftAdapter Adapter, double Kept) Truncated(ReadOnlySpan<float> change)
    {
        var modules = new List<PeftModule>();
        double kept = 0, all = 0;
        int at = 0;
        foreach (Codec.LoraModule module in plan.Modules)
        {
            int length = module.Outputs * module.Inputs, rank = Math.Min(lora.Rank, Math.Min(module.Outputs, module.Inputs));
            ReadOnlySpan<float> values = change.Slice(at, length);
            at += length;
            foreach (float value in values) all += (double)value * value;
            TruncatedSvd svd = TruncatedSvd.Of(values, module.Outputs, module.Inputs, rank);
            float[] a = new float[rank * module.Inputs], b = new float[module.Outputs * rank];
            for (int i = 0; i < rank; i++)
            {
                double root = Math.Sqrt(svd.Values[i] / plan.Scale!.Value);
                kept += svd.Values[i] * svd.Values[i];
                for (int column = 0; column < module.Inputs; column++) a[i * module.Inputs + column] = (float)(root * svd.Right[i][column]);
                for (int row = 0; row < module.Outputs; row++) b[row * rank + i] = (float)(root * svd.Left[i][row]);
            }
            modules.Add(ModuleOf(module, rank, a, b));
        }
        return (AdapterOf(modules), all == 0 ? 1 : Math.Min(1, kept / all));
    }

    /// <summary>
    /// All of ΔW, to rounding: every accepted pair of every round side by side, B with its weight. A module whose ranks add up to more than its smaller side has ΔW/s itself instead,
    /// beside an identity, which is smaller then.
    /// </summary>
    /// <param name="change">ΔW of all modules in order.</param>
    /// <param name="chain">The published stacks.</param>
    /// <returns>The adapter, and how many modules have ΔW itself.</returns>
    public (PeftAdapter Adapter, int Whole) Stacked(ReadOnlySpan<float> change, IEnumerable<byte[]> chain)
    {
        List<StackedPair>?[] pairs = [.. plan.Modules.Select(_ => new List<StackedPair>())];
        int version = 0;
        foreach (byte[] message in chain)
        {
            StackedChange stack = StackedChange.Open(plan, version++, message);
            for (int i = 0; i < pairs.Length; i++)
            {
                if (pairs[i] is not { } known) continue;
                // What is kept is copied out of the whole adapters, which would otherwise stay in memory.
                known.AddRange(stack.PairsOf(i).Select(pair => pair with { A = pair.A.ToArray(), B = pair.B.ToArray() }));
                if (known.Sum(pair => pair.Rank) > Math.Min(plan.Modules[i].Outputs, plan.Modules[i].Inputs)) pairs[i] = null;
            }
        }
        var modules = new List<PeftModule>();
        int at = 0;
        foreach ((Codec.LoraModule module, List<StackedPair>? known) in plan.Modules.Zip(pairs))
        {
            ReadOnlySpan<float> values = change.Slice(at, module.Outputs * module.Inputs);
            at += values.Length;
            modules.Add(known is { Count: > 0 } ? Stack(module, known) : known is null ? Whole(module, values) : ModuleOf(module, 1, new float[module.Inputs], new float[module.Outputs]));
        }
        return (AdapterOf(modules), pairs.Count(known => known is null));
    }

    private PeftModule Stack(Codec.LoraModule module, List<StackedPair> pairs)
    {
        int rank = pairs.Sum(pair => pair.Rank), first = 0;
        float[] a = new float[rank * module.Inputs], b = new float[module.Outputs * rank];
        foreach (StackedPair pair in pairs)
        {
            pair.A.Span.CopyTo(a.AsSpan(first * module.Inputs));
            for (int row = 0; row < module.Outputs; row++)
                for (int i = 0; i < pair.Rank; i++)
                    b[row * rank + first + i] = (float)(pair.Weight * pair.B.Span[row * pair.Rank + i]);
            first += pair.Rank;
        }
        return ModuleOf(module, rank, a, b);
    }

    private PeftModule Whole(Codec.LoraModule module, ReadOnlySpan<float> change)
    {
        int rank = Math.Min(module.Outputs, module.Inputs);
        float[] identity = new float[rank * rank], divided = new float[change.Length];
        for (int i = 0; i < rank; i++) identity[i * rank + i] = 1;
        for (int i = 0; i < divided.Length; i++) divided[i] = (float)(change[i] / plan.Scale!.Value);
        return module.Outputs < module.Inputs ? ModuleOf(module, rank, divided, identity) : ModuleOf(module, rank, identity, divided);
    }

    private PeftModule ModuleOf(Codec.LoraModule module, int rank, float[] a, float[] b) =>
        new(module.Name, rank, plan.Scale!.Value * (lora.Rslora ? Math.Sqrt(rank) : rank), module.Inputs, module.Outputs, a, b);

    private PeftAdapter AdapterOf(IReadOnlyList<PeftModule> modules) =>
        new(Path.GetFileName(Path.TrimEndingDirectorySeparator(baseModel)), modules, lora.Dropout, lora.Rslora);
}
