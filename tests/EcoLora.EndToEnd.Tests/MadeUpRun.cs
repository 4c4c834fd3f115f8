using System.Runtime.InteropServices;
using EcoLora.Codec;
using EcoLora.Federation;
using EcoLora.Local.Runs;
using EcoLora.Messaging;

namespace EcoLora.EndToEnd.Tests;

/// <summary>Plans and cluster runs over made-up updates.</summary>
internal static class MadeUpRun
{
    public static RunPlan Plan(string method = "fedit", int rounds = 4, ExchangeOptions? exchange = null) => new(
        "made-up", 11, method, rounds, Participants: 5, EvaluateEvery: 2,
        exchange ?? new ExchangeOptions { Segments = 3, KMinA = 0.2, KMinB = 0.1, KMax = 0.6, GammaA = 1, GammaB = 2 },
        [new LoraModule("model.layers.0.self_attn.q_proj", 12, 16, 4), new LoraModule("model.layers.0.self_attn.v_proj", 8, 16, 2)],
        [.. Enumerable.Range(0, 9).Select(client => new Enrolment(client, client % 4, 10 + client))]);

    /// <summary>Of five participants at four sites some share a residual, and some of these a segment.</summary>
    public static ExchangeOptions SiteResiduals => Plan().Exchange with { Segments = 2, Feedback = 0.8, Residuals = ResidualHolder.Site, MixingBeta = null };

    /// <summary>FLoRA, whose segments are whole modules, of which there are two.</summary>
    public static RunPlan Flora(int rounds = 4, ExchangeOptions? exchange = null, IReadOnlyList<int>? ranks = null) =>
        Plan("flora", rounds, FederatedMethod.Flora.Effective(exchange ?? Plan().Exchange with { Segments = 2 })) with { Scale = 0.5, Ranks = ranks };

    public static float[] Reference(RunPlan plan) => ReferenceRun.Run(plan, (client, round, start) => MadeUpEngine.Train(plan, client, round, start.Adapter, start.BaseChange.Span));

    public static async Task<(RunState State, float[] Adapter)> RunAsync(RunPlan plan, string folder, Func<ClusterOptions, ClusterOptions>? change = null, CancellationToken? cancellation = null)
    {
        string file = Path.Combine(folder, "adapter.f32");
        var options = new ClusterOptions
        {
            Plan = plan,
            State = new DurableFolder(folder),
            Engine = new MadeUpEngine(),
            Threads = 2,
            WriteAdapter = (_, adapter, _) => File.WriteAllBytes(file, MemoryMarshal.AsBytes(adapter.AsSpan())),
        };
        RunState state = await LocalCluster.RunAsync(change?.Invoke(options) ?? options, cancellation ?? TestContext.Current.CancellationToken).WaitAsync(TimeSpan.FromMinutes(1), CancellationToken.None);
        return (state, MemoryMarshal.Cast<byte, float>(File.ReadAllBytes(file)).ToArray());
    }
}
