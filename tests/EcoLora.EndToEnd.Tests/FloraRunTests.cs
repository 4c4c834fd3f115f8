using System.Text.Json.Nodes;
using EcoLora.Codec;
using EcoLora.Federation;
using EcoLora.Formats.Peft;
using EcoLora.Formats.Safetensors;
using EcoLora.Hosting;
using EcoLora.Services.Scheduler;
using EcoLora.TestKit;

namespace EcoLora.EndToEnd.Tests;

/// <summary>FLoRA through the four services, and what is exported of it.</summary>
public class FloraRunTests
{
    private static readonly int[] _ranks = [4, 2, 1, 6];

    public static TheoryData<string, bool> Combinations => new() { { "eco", false }, { "eco", true }, { "dense fp32", true }, { "dense fp16", false } };

    [Theory]
    [MemberData(nameof(Combinations))]
    public async Task The_services_publish_the_reference_change_of_the_base(string exchange, bool differs)
    {
        using var folder = new TemporaryFolder();
        RunPlan plan = Plan(exchange, differs);
        List<byte[]> chain = [];

        (RunState state, float[] change) = await MadeUpRun.RunAsync(plan, folder.Path, options => options with
        {
            WriteAdapter = (plan, outcome, messages) =>
            {
                options.WriteAdapter(plan, outcome, messages);
                chain = [.. messages];
            },
        });

        Assert.Equal(MadeUpRun.Reference(plan), change);
        Assert.Equal(12 * 16 + 8 * 16, change.Length);
        Assert.True(state.Evaluations[4].Score.Loss < 0.7 * state.Evaluations[0].Score.Loss, $"{state.Evaluations[0].Score.Loss} to {state.Evaluations[4].Score.Loss}");
        Assert.Equal(plan.Rounds, chain.Count);
        var dense = new DenseEntries(plan);
        foreach (RoundRecord round in state.Rounds)
        {
            Assert.Equal(chain[round.Round].Length, round.Aggregated!.Sizes.Framed);
            Assert.All(round.Sites.Values, site => Assert.Equal(chain[round.Round].Length, site.Bytes));
            Assert.Equal(round.Segments.Values.Sum(stored => stored.Sizes.Coded), round.Aggregated.Sizes.Coded);
            Assert.Equal(0, round.Aggregated.ServerResidualNorm);
            Assert.Equal(round.Opened.Participants.Sum(p => plan.ExchangedLayout(p.Client).Length), dense.Down(round));
            Assert.All(round.Segments.Keys, client => Assert.Equal(plan.AdapterLayout(client).Length, dense.Up(client)));
        }
        ExportsAreTheChange(plan, change, chain);
    }

    [Fact]
    public async Task Repeated_reordered_and_unacknowledged_messages_change_nothing()
    {
        RunPlan plan = Plan("eco", differs: true);
        float[] reference = MadeUpRun.Reference(plan);
        for (ulong seed = 0; seed < 3; seed++)
        {
            using var folder = new TemporaryFolder();
            (_, float[] change) = await MadeUpRun.RunAsync(plan, folder.Path, options => options with { Wrap = bus => new UnreliableBus(bus, seed) });
            Assert.Equal(reference, change);
        }
    }

    [Fact]
    public async Task A_run_on_a_real_model_exports_adapters_that_merge_into_what_it_evaluated()
    {
        using var folder = new TemporaryFolder();
        string file = RealRun.File(folder), samples = Path.Combine(Repository.Root, "samples", "base");
        string[] options = ["--set", "federation.method=flora", "--set", "lora.ranks=[8, 4, 2, 4]", "--set", "baselines=[dense-fp32]"];
        await RealRun.SucceedAsync([file, "--out", folder["run"], .. options, "--threads", "1"]);
        await RealRun.SucceedAsync([file, "--out", folder["again"], .. options, "--threads", "2", "--keep-updates"]);
        SortedDictionary<string, string> outcome = RealRun.Outcome(folder["run"]), again = RealRun.Outcome(folder["again"]);
        foreach (string name in again.Keys.Where(name => name.StartsWith("updates/", StringComparison.Ordinal)).ToArray()) again.Remove(name);
        Assert.Equal(outcome, again);

        foreach (JsonNode? arm in RealRun.Report(folder["run"])["arms"]!.AsArray())
            Assert.True((double)arm!["final"]!["loss"]! < 0.9 * (double)arm["before"]!["loss"]!, $"{arm["name"]}: {arm["before"]!["loss"]} to {arm["final"]!["loss"]}");
        JsonObject figures = JsonNode.Parse(File.ReadAllText(folder["run/exports.json"]))!.AsObject();
        Assert.InRange((double)figures["adapter"]!["keptShare"]!, 0.1, 1);
        Assert.Equal(4, (int)figures["adapter"]!["rank"]!);

        (int code, _, string error) = await RealRun.EcoloraAsync(null, "merge", "--model", samples, "--adapter", folder["run/stacked"], "--out", folder["merged"], "--dtype", "f32");
        Assert.True(code == 0, error);
        RunPlan plan = Journal.Read(folder["run/state/small/scheduler/small.journal.jsonl"]).OfType<Decided>().Select(entry => entry.Message).OfType<RunOpened>().Single().Plan;
        var published = PublishedAdapter.Start(plan);
        for (int round = 0; round < plan.Rounds; round++) published.Apply(File.ReadAllBytes(folder[$"run/state/small/aggregator/small/chain/change-{round:d5}.frame"]));
        using SafetensorsFolder merged = SafetensorsFolder.Open(folder["merged"]), before = SafetensorsFolder.Open(samples);
        int at = 0;
        foreach (LoraModule module in plan.Modules)
        {
            float[] expected = new float[module.Outputs * module.Inputs], found = new float[expected.Length];
            before.FileOf(module.Name + ".weight").Read(module.Name + ".weight", expected);
            merged.FileOf(module.Name + ".weight").Read(module.Name + ".weight", found);
            for (int i = 0; i < expected.Length; i++) expected[i] += published.Values.Span[at + i];
            Assert.All(expected.Zip(found), pair => Assert.Equal(pair.First, pair.Second, 2e-6));
            at += expected.Length;
        }
    }

    private static void ExportsAreTheChange(RunPlan plan, float[] change, List<byte[]> chain)
    {
        // Ranks of 5 participants, or of those of one of two segments, over 4 rounds are more than 8 and 12; those of one round are less.
        var lora = new LoraOptions { Rank = 3, Alpha = 1.5, Dropout = 0, Targets = ["q_proj", "v_proj"], Rslora = false };
        var export = new BaseChangeExport(plan, lora, "base");
        (PeftAdapter stacked, int whole) = export.Stacked(change, chain);
        Assert.Equal(2, whole);
        Assert.Equal([12, 8], stacked.Modules.Select(module => module.Rank));
        Near(change, Products(stacked), 1e-6);

        var first = PublishedAdapter.Start(plan);
        first.Apply(chain[0]);
        (PeftAdapter one, int wholeOfOne) = export.Stacked(first.Values.Span, chain.Take(1));
        int[] ranks = [.. Enumerable.Range(0, 2).Select(module => StackedChange.Open(plan, 0, chain[0]).PairsOf(module).Sum(pair => pair.Rank))];
        Assert.Equal(ranks.Zip([12, 8], Math.Min), one.Modules.Select(module => module.Rank));
        Assert.Equal(ranks.Zip([12, 8]).Count(pair => pair.First > pair.Second), wholeOfOne);
        Near(first.Values.ToArray(), Products(one), 1e-5);

        (PeftAdapter truncated, double kept) = export.Truncated(change);
        Assert.All(truncated.Modules, module => Assert.Equal((3, 0.5), (module.Rank, truncated.ScaleOf(module))));
        double all = change.Sum(value => (double)value * value), lost = change.Zip(Products(truncated), (x, y) => Math.Pow(x - y, 2)).Sum();
        Assert.Equal(1 - lost / all, kept, 1e-4);
        Assert.InRange(kept, 0.3, 0.999);
        (PeftAdapter full, double keptByAll) = new BaseChangeExport(plan, lora with { Rank = 12, Rslora = true }, "base").Truncated(change);
        Assert.Equal(1, keptByAll, 1e-9);
        Near(change, Products(full), 1e-5);
    }

    private static void Near(float[] expected, float[] found, double tolerance) =>
        Assert.All(expected.Zip(found), pair => Assert.Equal(pair.First, pair.Second, tolerance));

    private static float[] Products(PeftAdapter adapter) =>
    [
        .. adapter.Modules.SelectMany(module => Enumerable.Range(0, module.Outputs).SelectMany(row => Enumerable.Range(0, module.Inputs).Select(column => (float)(adapter.ScaleOf(module)
            * Enumerable.Range(0, module.Rank).Sum(rank => (double)module.B[row * module.Rank + rank] * module.A[rank * module.Inputs + column]))))),
    ];

    private static RunPlan Plan(string exchange, bool differs) => MadeUpRun.Flora(
        exchange: exchange switch { "eco" => null, "dense fp32" => ExchangeOptions.Dense(ValueMode.Fp32), _ => ExchangeOptions.Dense(ValueMode.Fp16) },
        ranks: differs ? _ranks : null);
}
