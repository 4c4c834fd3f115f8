using EcoLora.Codec;
using EcoLora.Federation;
using EcoLora.Numerics;

namespace EcoLora.EndToEnd.Tests;

/// <summary>
/// A made-up base for methods that merge into it: the loss of ΔW is its mean squared distance from a target of the client's own, and training takes steps of gradient descent on A
/// and B with ΔW + s·B·A in the place of ΔW.
/// </summary>
internal static class MadeUpBase
{
    private const int Steps = 30;
    private const double Rate = 0.2;

    public static double Loss(RunPlan plan, ReadOnlySpan<float> change, int client = -1)
    {
        float[] target = Target(plan, client);
        double sum = 0;
        for (int i = 0; i < target.Length; i++) sum += Math.Pow(change[i] - target[i], 2);
        return sum / target.Length;
    }

    public static double Train(RunPlan plan, int client, float[] adapter, ReadOnlySpan<float> change)
    {
        LoraLayout layout = plan.AdapterLayout(client);
        float[] target = Target(plan, client);
        int at = 0;
        for (int i = 0; i < plan.Modules.Count; i++)
        {
            LoraModule module = plan.Modules[i];
            int length = module.Outputs * module.Inputs;
            LoraTensor a = layout.Tensors[2 * i], b = layout.Tensors[2 * i + 1];
            for (int step = 0; step < Steps; step++)
                Step(module, a.Rows, plan.Scale!.Value, a.In(adapter.AsSpan()), b.In(adapter.AsSpan()), change.Slice(at, length), target.AsSpan(at, length));
            at += length;
        }
        return Loss(plan, change, client);
    }

    private static void Step(LoraModule module, int rank, double scale, Span<float> a, Span<float> b, ReadOnlySpan<float> change, ReadOnlySpan<float> target)
    {
        double[] gradientA = new double[a.Length], gradientB = new double[b.Length];
        for (int row = 0; row < module.Outputs; row++)
        {
            for (int column = 0; column < module.Inputs; column++)
            {
                int index = row * module.Inputs + column;
                double gap = change[index] - target[index];
                for (int r = 0; r < rank; r++) gap += scale * b[row * rank + r] * a[r * module.Inputs + column];
                for (int r = 0; r < rank; r++)
                {
                    gradientB[row * rank + r] += scale * gap * a[r * module.Inputs + column];
                    gradientA[r * module.Inputs + column] += scale * gap * b[row * rank + r];
                }
            }
        }
        for (int i = 0; i < a.Length; i++) a[i] -= (float)(Rate * gradientA[i]);
        for (int i = 0; i < b.Length; i++) b[i] -= (float)(Rate * gradientB[i]);
    }

    private static float[] Target(RunPlan plan, int client)
    {
        RandomStream common = new(plan.Seed, "made-up-base"), own = new(plan.Seed, "made-up-base", client);
        float[] target = new float[plan.Modules.Sum(module => module.Outputs * module.Inputs)];
        for (int i = 0; i < target.Length; i++) target[i] = (float)(common.NextGaussian() + (client < 0 ? 0 : 0.3 * own.NextGaussian()));
        return target;
    }
}
