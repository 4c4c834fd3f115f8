using EcoLora.Codec;
using EcoLora.Federation;
using EcoLora.Numerics;
using EcoLora.Services.Trainer;

namespace EcoLora.EndToEnd.Tests;

/// <summary>
/// An engine without a model: each client pulls the adapter towards a target of its own, with noise. Quick, deterministic, and the loss falls.
/// </summary>
internal sealed class MadeUpEngine : ITrainingEngine
{
    /// <summary>Clients whose loss is not a number, by round.</summary>
    public HashSet<(int Client, int Round)> Broken { get; } = [];

    public TrainingOutcome Train(RunPlan plan, int client, int round, float[] adapter, ReadOnlyMemory<float> baseChange, CancellationToken cancellation) =>
        Broken.Contains((client, round)) ? new TrainingOutcome(double.NaN) : new TrainingOutcome(Train(plan, client, round, adapter, baseChange.Span));

    public HeldOutScore Evaluate(RunPlan plan, ReadOnlySpan<float> adapter, ReadOnlyMemory<float> baseChange, CancellationToken cancellation)
    {
        if (plan.FederatedMethod.MergesIntoBase) return new HeldOutScore(MadeUpBase.Loss(plan, baseChange.Span), 1, 1, 0, []);
        double sum = 0;
        int count = 0;
        float[] target = Target(plan, client: -1);
        foreach (LoraTensor tensor in plan.AdapterLayout().Tensors.Where(tensor => plan.FederatedMethod.Trains(tensor.Role)))
        {
            for (int i = tensor.Offset; i < tensor.End; i++, count++) sum += Math.Pow(adapter[i] - target[i], 2);
        }
        return new HeldOutScore(sum / count, 1, 1, 0, []);
    }

    public static double Train(RunPlan plan, int client, int round, float[] adapter, ReadOnlySpan<float> baseChange = default)
    {
        if (plan.FederatedMethod.MergesIntoBase) return MadeUpBase.Train(plan, client, adapter, baseChange);
        float[] target = Target(plan, client);
        var noise = new RandomStream(plan.Seed, "made-up-noise", client, round);
        double loss = 0;
        LoraLayout layout = plan.AdapterLayout();
        foreach (LoraTensor tensor in layout.Tensors)
        {
            for (int i = tensor.Offset; i < tensor.End; i++)
            {
                double gap = target[i] - adapter[i];
                loss += gap * gap / adapter.Length;
                if (plan.FederatedMethod.Trains(tensor.Role)) adapter[i] += (float)(0.3 * gap + 0.01 * noise.NextGaussian());
            }
        }
        return loss;
    }

    private static float[] Target(RunPlan plan, int client)
    {
        var common = new RandomStream(plan.Seed, "made-up-target");
        var own = new RandomStream(plan.Seed, "made-up-target", client);
        float[] target = new float[plan.AdapterLayout().Length];
        for (int i = 0; i < target.Length; i++) target[i] = (float)(common.NextGaussian() + (client < 0 ? 0 : 0.3 * own.NextGaussian()));
        return target;
    }
}
