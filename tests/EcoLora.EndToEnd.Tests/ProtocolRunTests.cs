using EcoLora.Codec;
using EcoLora.Federation;
using EcoLora.TestKit;

namespace EcoLora.EndToEnd.Tests;

/// <summary>The four services together come to exactly what the one-method run comes to.</summary>
public class ProtocolRunTests
{
    public static TheoryData<string, string> Combinations => new()
    {
        { "fedit", "eco" }, { "fedit", "dense fp32" }, { "fedit", "dense fp16" }, { "ffa-lora", "eco" }, { "ffa-lora", "dense fp32" }, { "fedit", "full feedback, no mixing" },
        { "fedit", "ecolora+" }, { "ffa-lora", "ecolora+" }, { "fedit", "top-k" }, { "fedit", "dense-int4" }, { "fedit", "site residuals" },
    };

    [Theory]
    [MemberData(nameof(Combinations))]
    public async Task The_services_publish_the_reference_adapter(string method, string exchange)
    {
        using var folder = new TemporaryFolder();
        RunPlan plan = MadeUpRun.Plan(method, exchange: Exchange(exchange));

        (RunState state, float[] adapter) = await MadeUpRun.RunAsync(plan, folder.Path);

        Assert.Equal(MadeUpRun.Reference(plan), adapter);
        Assert.True(state.IsFinished);
        Assert.Equal(plan.Rounds, state.Rounds.Count);
        Assert.Equal([0, 2, 4], state.Evaluations.Keys);
        Assert.True(state.Evaluations[4].Score.Loss < 0.5 * state.Evaluations[0].Score.Loss);
        Assert.All(state.Rounds, round => Assert.Equal(plan.Participants, round.Aggregated!.Coverage.Sum()));
    }

    [Fact]
    public async Task An_update_that_is_not_finite_is_refused_and_the_round_goes_on()
    {
        using var folder = new TemporaryFolder();
        RunPlan plan = MadeUpRun.Plan();
        int[] sampled = RoundRobinSchedule.Sample(plan.Seed, 1, plan.Roster.Select(enrolment => enrolment.Client), plan.Participants);
        var engine = new MadeUpEngine();
        engine.Broken.Add((sampled[2], 1));

        (RunState state, _) = await MadeUpRun.RunAsync(plan, folder.Path, options => options with { Engine = engine });

        ClientReport refused = Assert.Single(state.Rounds.SelectMany(r => r.Clients.Values), report => report.Refused is not null);
        Assert.Equal((1, sampled[2], "the loss is NaN"), (refused.Round, refused.Client, refused.Refused));
        Assert.Equal(plan.Participants - 1, state.Rounds[1].Closed!.Accepted.Count);
        Assert.True(state.IsFinished);
    }

    [Theory]
    [InlineData("fedit", "eco", 0.8)]
    [InlineData("fedit", "ecolora+", 0.9)]
    [InlineData("ffa-lora", "ecolora+", 0.8)]
    public async Task A_run_with_a_budget_keeps_to_it_and_is_the_reference(string method, string exchange, double share)
    {
        RunPlan free = MadeUpRun.Plan(method, exchange: Exchange(exchange));
        using var freeFolder = new TemporaryFolder();
        long unlimited = Frames((await MadeUpRun.RunAsync(free, freeFolder.Path)).State);
        RunPlan plan = free with { Exchange = free.Exchange with { Budget = Math.Max(ByteBudget.Least(free), (long)(share * unlimited)) } };
        using var folder = new TemporaryFolder();

        (RunState state, float[] adapter) = await MadeUpRun.RunAsync(plan, folder.Path, options => options with { Wrap = bus => new UnreliableBus(bus, 1) });

        Assert.Equal(MadeUpRun.Reference(plan), adapter);
        Assert.InRange(Frames(state), 1, plan.Exchange.Budget!.Value);
        foreach (RoundRecord round in state.Rounds) Assert.All(round.Segments.Values, received => Assert.True(received.Sizes.Framed <= round.Opened.FrameBytes));

        static long Frames(RunState state) =>
            state.Rounds.Sum(round => round.Segments.Values.Sum(received => received.Sizes.Framed) + round.Sites.Values.Sum(site => site.Bytes));
    }

    [Theory]
    [InlineData(ResidualHolder.Client)]
    [InlineData(ResidualHolder.Site)]
    public async Task An_update_that_would_outweigh_the_others_stays_residual_and_the_round_goes_on(ResidualHolder residuals)
    {
        // About half of the updates are larger at first.
        RunPlan plan = MadeUpRun.Plan(rounds: 6, exchange: MadeUpRun.Plan().Exchange with { MaxNorm = 2.3, Residuals = residuals });
        float[] reference = MadeUpRun.Reference(plan);
        Assert.NotEqual(MadeUpRun.Reference(plan with { Exchange = plan.Exchange with { MaxNorm = null } }), reference);
        foreach (ulong? seed in new ulong?[] { null, 1, 2 })
        {
            using var folder = new TemporaryFolder();
            (RunState state, float[] adapter) = await MadeUpRun.RunAsync(plan, folder.Path, options => seed is { } s ? options with { Wrap = bus => new UnreliableBus(bus, s) } : options);
            Assert.Equal(reference, adapter);
            SegmentReceived[] refused = [.. state.Rounds.SelectMany(round => round.Segments.Values).Where(received => received.Refused is not null)];
            int accepted = state.Rounds.Sum(round => round.Closed!.Accepted.Count);
            Assert.Equal(plan.Rounds * plan.Participants, accepted + refused.Length);
            Assert.InRange(accepted, 1, plan.Rounds * plan.Participants - 1);
            Assert.All(refused, received => Assert.StartsWith("norm: expected at most 2.3 (exchange.max_norm), found ", received.Refused, StringComparison.Ordinal));
        }
    }

    [Theory]
    [InlineData("eco")]
    [InlineData("site residuals")]
    public async Task Repeated_reordered_and_unacknowledged_messages_change_nothing(string exchange)
    {
        RunPlan plan = MadeUpRun.Plan(rounds: 3, exchange: Exchange(exchange));
        float[] reference = MadeUpRun.Reference(plan);
        for (ulong seed = 0; seed < 4; seed++)
        {
            using var folder = new TemporaryFolder();
            (_, float[] adapter) = await MadeUpRun.RunAsync(plan, folder.Path, options => options with { Wrap = bus => new UnreliableBus(bus, seed) });
            Assert.Equal(reference, adapter);
        }
    }

    [Fact]
    public async Task Bytes_in_the_journal_are_those_of_the_frames()
    {
        using var folder = new TemporaryFolder();
        RunPlan plan = MadeUpRun.Plan(exchange: ExchangeOptions.Dense(ValueMode.Fp32));

        (RunState state, _) = await MadeUpRun.RunAsync(plan, folder.Path);

        int length = plan.AdapterLayout().Length;
        Assert.All(state.Rounds.SelectMany(r => r.Segments.Values), stored =>
        {
            // Two chunks of plain values, each with a checksum, a mode and a number, and a head.
            Assert.InRange(stored.Sizes.Coded, 4L * length + 2 * 6, 4L * length + 2 * 8);
            Assert.Equal(stored.Sizes.Coded, stored.Sizes.Golomb);
            Assert.Equal(stored.Sizes.Coded + 40 + 2 + 2 * 4 + 2 + 4, stored.Sizes.Framed);
        });
        Assert.All(state.Rounds, round => Assert.All(round.Sites.Values, site => Assert.Equal(round.Aggregated!.Sizes.Framed, site.Bytes)));
        string chain = Path.Combine(folder.Path, "aggregator", plan.Run, "chain", "change-00000.frame");
        Assert.Equal(state.Rounds[0].Aggregated!.Sizes.Framed, new FileInfo(chain).Length);
    }

    private static ExchangeOptions Exchange(string name) => name switch
    {
        "eco" => MadeUpRun.Plan().Exchange,
        "dense fp32" => ExchangeOptions.Dense(ValueMode.Fp32),
        "dense fp16" => ExchangeOptions.Dense(ValueMode.Fp16),
        "full feedback, no mixing" => MadeUpRun.Plan().Exchange with { Feedback = 1, MixingBeta = null },
        "site residuals" => MadeUpRun.SiteResiduals,
        // The rounds after the dense ones too.
        _ => ExchangePreset.Named(name).Options with { DenseRounds = Math.Min(2, ExchangePreset.Named(name).Options.DenseRounds) },
    };
}
