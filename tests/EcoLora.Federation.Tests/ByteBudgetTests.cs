using EcoLora.Codec;
using EcoLora.Numerics;

namespace EcoLora.Federation.Tests;

public class ByteBudgetTests
{
    private const int Rounds = 12, Participants = 5;

    public static TheoryData<string, double> Budgets => new()
    {
        { "ecolora+", 0.02 }, { "ecolora+", 0.04 }, { "ecolora+", 0.06 }, { "ecolora+", 1 },
        { "ecolora", 0.02 }, { "ecolora", 0.1 }, { "ecolora", 0.25 }, { "top-k", 0.1 }, { "dense-int4", 0.05 }, { "dense-int8", 0.3 }, { "ecolora+, three segments", 0.03 },
    };

    [Theory]
    [MemberData(nameof(Budgets))]
    public void A_run_spends_its_budget_and_never_more(string exchange, double share)
    {
        RunPlan plan = Plan(exchange, share);
        (long spent, List<FrameAllowance> up, List<FrameAllowance> down) = Simulate(plan, (random, entries) => [.. Enumerable.Range(0, entries).Select(_ => (float)random.NextGaussian())]);
        long budget = plan.Exchange.Budget!.Value;
        bool isAllKept = up.Concat(down).All(allowed => allowed is { KeepA: 1, KeepB: 1 });
        Assert.InRange(spent, isAllKept ? 1 : (long)(0.97 * budget), budget);
        Assert.Equal(share == 1, isAllKept);
    }

    [Theory]
    [InlineData("ecolora+")]
    [InlineData("ecolora")]
    public void Updates_that_cost_more_than_expected_do_not_exceed_it_either(string exchange)
    {
        // A few entries of one tensor in every other round: nothing of what was learned in one round holds in the next.
        RunPlan plan = Plan(exchange, 0.03);
        int call = 0;
        (long spent, _, _) = Simulate(plan, (random, entries) =>
        {
            bool isEven = call++ / Participants % 2 == 0;
            return [.. Enumerable.Range(0, entries).Select(i => isEven && i % 97 != 0 ? 0 : (float)random.NextGaussian())];
        });
        Assert.InRange(spent, 1, plan.Exchange.Budget!.Value);
        RunPlan least = Plan(exchange, 0.03) is var other ? other with { Exchange = other.Exchange with { Budget = ByteBudget.Least(other) } } : null!;
        least.Validate();
        Assert.InRange(Simulate(least, (random, entries) => [.. Enumerable.Range(0, entries).Select(_ => (float)random.NextGaussian())]).Spent, 1, least.Exchange.Budget!.Value);
    }

    [Fact]
    public void Dense_rounds_take_at_most_a_sixth_and_the_downlink_keeps_its_share()
    {
        RunPlan plan = Plan("ecolora+", 0.04);
        plan = plan with { Exchange = plan.Exchange with { KDown = 0.5 * plan.Exchange.KMax } };
        (_, List<FrameAllowance> up, List<FrameAllowance> down) = Simulate(plan, (random, entries) => [.. Enumerable.Range(0, entries).Select(_ => (float)random.NextGaussian())]);
        Assert.Equal(1, up.Count(allowed => allowed is { KeepA: 1, KeepB: 1 }));
        for (int round = 1; round + 1 < Rounds; round++) Assert.Equal(0.5, down[round].KeepA / up[round].KeepA, 0.05);
        Assert.All(Enumerable.Range(2, Rounds - 4), round => Assert.InRange(up[round + 1].KeepA / up[round].KeepA, 0.9, 1.1));
    }

    [Fact]
    public void What_cannot_be_kept_is_refused()
    {
        RunPlan plan = Plan("ecolora+", 0.04), small = plan with { Exchange = plan.Exchange with { Budget = ByteBudget.Least(plan) - 1 } };
        Assert.Equal(
            $"exchange.budget: expected at least {ByteBudget.Least(plan)} bytes, for 12 rounds of 5 uploads and 4 downloads, found {ByteBudget.Least(plan) - 1}",
            Assert.Throws<ArgumentException>(small.Validate).Message);
        RunPlan late = Plan("top-k", 0.1) with { Deadline = new DeadlineOptions(30, 0, 1) };
        Assert.StartsWith("exchange.budget: expected none with federation.deadline", Assert.Throws<ArgumentException>(late.Validate).Message, StringComparison.Ordinal);
        RunPlan nothing = plan with { Exchange = plan.Exchange with { Budget = 0 } };
        Assert.Equal("exchange.budget: expected more than 0, or off, found 0", Assert.Throws<ArgumentException>(nothing.Validate).Message);
    }

    /// <summary>A plan with a budget that is a share of what dense FP16 frames would take.</summary>
    private static RunPlan Plan(string exchange, double share)
    {
        ExchangeOptions options = ExchangePreset.Named(exchange.Split(',')[0]).Options with { Segments = exchange.EndsWith("segments", StringComparison.Ordinal) ? 3 : 1 };
        if (exchange == "ecolora") options = options with { Segments = 5 };
        RunPlan plan = new(
            "run-1", 11, "fedit", Rounds, Participants, 2, options, [.. Enumerable.Range(0, 3).Select(i => new LoraModule($"m{i}", 256, 192, 16))],
            [.. Enumerable.Range(0, 9).Select(c => new Enrolment(c, c % 4, c + 1))])
        {
            Overhead = 70,
        };
        plan = plan with { Exchange = options with { Budget = (long)(share * Rounds * (Participants + plan.Sites) * 2 * plan.ExchangedLayout().Length) } };
        plan.Validate();
        return plan;
    }

    /// <summary>Encodes made-up updates as participants and aggregator would.</summary>
    private static (long Spent, List<FrameAllowance> Up, List<FrameAllowance> Down) Simulate(RunPlan plan, Func<RandomStream, int, float[]> update)
    {
        var random = new RandomStream(3, "budget");
        var budget = new ByteBudget(plan);
        LoraLayout layout = plan.ExchangedLayout();
        float[] serverResidual = new float[layout.Length];
        List<FrameAllowance> ups = [], downs = [];
        long spent = 0;
        for (int round = 0; round < plan.Rounds; round++)
        {
            double? first = round == 0 ? null : 3, previous = round == 0 ? null : 3 - 0.05 * round;
            FrameAllowance up = budget.Up(round, first, previous);
            var uploads = new List<int>();
            double[] sum = new double[layout.Length];
            for (int slot = 0; slot < plan.Participants; slot++)
            {
                var header = new FrameHeader(FrameKind.Segment, plan.Key, round, slot, RoundRobinSchedule.SegmentOf(slot, round, plan.Exchange.Segments), plan.Exchange.Segments, round, 0);
                SegmentRange range = header.Range(layout);
                float[] change = update(random, range.Length);
                for (int i = 0; i < change.Length; i++) sum[range.Start + i] += change[i] / plan.Participants;
                byte[] frame = FrameEncoder.EncodeWithin(header, layout, change, plan.Exchange.Up(up.KeepA, up.KeepB), up.FrameBytes);
                Assert.InRange(frame.Length, 1, up.FrameBytes!.Value);
                uploads.Add(frame.Length);
            }
            FrameAllowance down = budget.Down(round, first, previous, uploads);
            var global = new FrameHeader(FrameKind.GlobalChange, plan.Key, round, FrameHeader.Aggregator, 0, 1, round, 0);
            byte[] published = Aggregation.Publish(global, layout, sum, serverResidual, plan.Exchange.Down(down.KeepA, down.KeepB), down.FrameBytes);
            budget.Spend(up, uploads, down, published.Length);
            spent += uploads.Sum(bytes => (long)bytes + plan.Overhead) + plan.Sites * ((long)published.Length + plan.Overhead);
            Assert.Equal(plan.Exchange.Budget!.Value - spent, budget.Left);
            ups.Add(up);
            downs.Add(down);
        }
        return (spent, ups, downs);
    }
}
