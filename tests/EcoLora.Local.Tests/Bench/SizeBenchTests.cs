using EcoLora.Codec;
using EcoLora.Federation;
using EcoLora.Local.Bench;
using EcoLora.Numerics;
using EcoLora.Telemetry;
using EcoLora.TestKit;

namespace EcoLora.Local.Tests.Bench;

public sealed class SizeBenchTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void The_papers_models_have_the_papers_parameters() =>
        Assert.Equal([8_388_608, 13_107_200], SizeModel.All.Take(2).Select(model => model.Layout().Length));

    [Fact]
    public void Gini_and_kurtosis_are_the_usual_ones()
    {
        // Magnitudes 1, 2, 3: 2·(1 + 4 + 9)/(3·6) − 4/3 = 2/9. Kurtosis 3·(1 + 16 + 81)/(1 + 4 + 9)² = 1.5.
        Assert.Equal(2.0 / 9, RoleStatistics.GiniOf([-3, 1, 2]), 12);
        Assert.Equal(1.5, RoleStatistics.KurtosisOf([-3, 1, 2]), 12);
    }

    [Fact]
    public void Drawn_entries_are_distributed_as_the_real_ones_of_their_role_and_round()
    {
        var statistics = UpdateStatistics.Read(MadeUpRun.KeepUpdates(_folder["updates"], 7));
        Assert.Equal(2, statistics.Spans.Count);
        Assert.Same(statistics.Spans[1].B, statistics.At(99, LoraRole.B));
        foreach (LoraRole role in (LoraRole[])[LoraRole.A, LoraRole.B])
        {
            RoleStatistics real = statistics.At(0, role);
            float[] drawn = new float[200_000];
            real.Draw(0, drawn, new RandomStream(1, "test"));
            Assert.Equal(real.Gini, RoleStatistics.GiniOf(drawn), 0.01);
            Assert.InRange(RoleStatistics.KurtosisOf(drawn) / real.Kurtosis, 0.8, 1.25);
            Assert.InRange(drawn.Count(value => value < 0), 99_000, 101_000);
        }
        Assert.True(statistics.At(0, LoraRole.B).Gini > statistics.At(0, LoraRole.A).Gini + 0.1);
    }

    [Fact]
    public void The_ledger_has_the_rounds_of_the_protocol_and_the_papers_coding_is_what_its_frames_would_be()
    {
        var statistics = UpdateStatistics.Read(MadeUpRun.KeepUpdates(_folder["updates"], 7));
        var plan = new SizePlan([4.0, 3.9, 3.7], [.. Enumerable.Repeat(10, 12)], 10, new ExchangeOptions(), statistics);
        SizeModel small = SizeModel.All.Single(model => model.Name == "small");
        IReadOnlyList<LedgerRow> ledger = Run(plan), golomb = Run(plan with { Exchange = plan.Exchange with { Coding = LosslessCoding.Golomb } });
        Assert.Equal(ledger, Run(plan));
        Assert.Equal(3 * (10 + 10), ledger.Count);

        // Eq. 4: k_max for two rounds, then 0.6 + 0.35·exp(−4·0.1) of A and 0.5 + 0.45·exp(−8·0.1) of B, up and down.
        DirectionBytes[] rounds = [.. LedgerTotals.Of(ledger).Rounds.Select(round => round.Value)];
        Assert.Equal([0.95, 0.95, 0.6 + (0.35 * Math.Exp(-0.4))], rounds.Select(round => Math.Round(round.Up.DensityA!.Value, 3)), (a, b) => Math.Abs(a - b) < 0.001);
        Assert.Equal([0.95, 0.95, 0.5 + (0.45 * Math.Exp(-0.8))], rounds.Select(round => Math.Round(round.Down.DensityB!.Value, 3)), (a, b) => Math.Abs(a - b) < 0.001);

        SizeRow[] rows = [.. SizeBench.Rows("small", "fedit", 3, LedgerTotals.Of(ledger).All)], papers = [.. SizeBench.Rows("small", "fedit", 3, LedgerTotals.Of(golomb).All)];
        Assert.Equal(3 * 10 * 4L * small.Layout().Length, rows[0].UpBytes);
        Assert.Equal(3 * 10 * small.Layout().Length, rows[1].UpEntries);
        Assert.Equal(papers[3].UpEntries, rows[3].UpEntries);
        Assert.True(rows[3].UpBytes < rows[2].UpBytes);
        // Heads differ by what the two codings say of themselves.
        Assert.InRange((double)papers[3].UpBytes!.Value / rows[2].UpBytes!.Value, 0.99, 1.01);

        IReadOnlyList<LedgerRow> Run(SizePlan each) => new SizeRun(small, FederatedMethod.FedIt, each).Run(_ => { }, default);
    }

    [Fact]
    public void Floras_download_is_the_rounds_frames_to_every_site_and_is_held_against_whole_stacks()
    {
        var statistics = UpdateStatistics.Read(MadeUpRun.KeepUpdates(_folder["updates"], 7));
        var plan = new SizePlan([4.0, 3.9], [.. Enumerable.Repeat(10, 12)], 10, new ExchangeOptions(), statistics);
        SizeModel small = SizeModel.All.Single(model => model.Name == "small");
        IReadOnlyList<LedgerRow> ledger = new SizeRun(small, FederatedMethod.Flora, plan).Run(_ => { }, TestContext.Current.CancellationToken);

        foreach (IGrouping<int, LedgerRow> round in ledger.GroupBy(row => row.Round))
        {
            LedgerRow[] up = [.. round.Where(row => row.Direction == Direction.Up)], down = [.. round.Where(row => row.Direction == Direction.Down)];
            Assert.Equal((10, 10), (up.Length, down.Length));
            // One head, and per frame its client and samples in a byte each and its length in four; one more byte for the number of frames.
            Assert.All(down, row => Assert.Equal(up.Sum(each => each.Framed) + 40 + 1 + 10 * 6 + 4, row.Framed));
            Assert.All(down, row => Assert.Equal((up.Sum(each => each.KeptA), up.Sum(each => each.KeptB)), (row.KeptA, row.KeptB)));
            Assert.All(down, row => Assert.Equal(10 * 2L * small.Layout().Length, row.DenseFp16));
            Assert.All(up, row => Assert.Equal(2L * small.Layout().Length, row.DenseFp16));
        }
    }

    [Fact]
    public void The_papers_rounds_follow_from_its_two_columns()
    {
        // 2772.1 / (8.4·10) = 33.0 rounds; FedIT + EcoLoRA: down/up = 3284.5/481.1 = 5·(2 − k), so k = 0.635 and 481.1/(10·1.68·0.635) = 45.1 rounds.
        Assert.Equal(33.0, SizeRow.Paper.Single(row => row.Method == "paper: FedIT, Dolly").Rounds!.Value, 0.05);
        SizeRow eco = SizeRow.Paper.Single(row => row.Method == "paper: FedIT + EcoLoRA, Dolly");
        Assert.Equal(45.1, eco.Rounds!.Value, 0.05);
        Assert.Contains("k = 0.635", eco.Note, StringComparison.Ordinal);
        // FLoRA: 2688.1/(8.4·10) = 32.0; 21702.3/321.6 = 5·10·(2 − k), so k = 0.650 and 321.6/(10·1.68·0.650) = 29.4.
        Assert.Equal(32.0, SizeRow.Paper.Single(row => row.Method == "paper: FLoRA, Dolly").Rounds!.Value, 0.05);
        Assert.Equal(29.4, SizeRow.Paper.Single(row => row.Method == "paper: FLoRA + EcoLoRA, Dolly").Rounds!.Value, 0.05);
    }
}
