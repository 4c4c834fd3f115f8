using EcoLora.Codec;
using EcoLora.Federation;
using EcoLora.Hosting;
using EcoLora.Local.Runs;
using EcoLora.Messaging;
using EcoLora.Services.Trainer;
using EcoLora.TestKit;

namespace EcoLora.EndToEnd.Tests;

/// <summary>Task <c>dpo</c> on a real model and real preferences, through the four services.</summary>
public sealed class PreferenceRunTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("fedit")]
    [InlineData("ffa-lora")]
    public async Task A_few_rounds_make_the_chosen_answers_preferred(string method)
    {
        (RunState state, float[] adapter) = await RunAsync("run", method, threads: 2);
        HeldOutScore before = state.Evaluations[0].Score, after = state.Evaluations[3].Score;
        Assert.Equal(Math.Log(2), before.Loss, 1e-12);
        Assert.Equal((30, 0, 0.0), (before.Records, before.Preferred, before.RewardMargin));
        Assert.Null(after.Correct);
        Assert.True(after.Loss < 0.6 && after.Preferred >= 21 && after.RewardMargin > 0.3, $"{after}");
        Assert.Equal(Math.Log(2), state.Rounds[0].Loss!.Value, 0.2);   // of the first round's steps

        RunPlan plan = state.Plan;
        float[] start = LoraInitialization.Create(plan.AdapterLayout(), plan.Seed);
        foreach (LoraTensor tensor in plan.AdapterLayout().Tensors.Where(tensor => tensor.Role == LoraRole.A))
            Assert.Equal(method == "ffa-lora", tensor.In(start.AsSpan()).SequenceEqual(tensor.In(adapter.AsSpan())));
    }

    [Fact]
    public async Task Threads_change_no_bit()
    {
        (RunState one, float[] adapter) = await RunAsync("one", "fedit", threads: 1, "federation.rounds=1");
        (RunState three, float[] other) = await RunAsync("three", "fedit", threads: 3, "federation.rounds=1");
        Assert.Equal(adapter, other);
        Assert.Equal(one.Evaluations[1].Score with { Categories = [] }, three.Evaluations[1].Score with { Categories = [] });
    }

    private async Task<(RunState State, float[] Adapter)> RunAsync(string name, string method, int threads, params string[] options)
    {
        string text = $$"""
            name: pairs
            task: dpo
            model: {{SharedData.Path("model/stories260K-hf")}}
            data: { files: {{SharedData.Path("preference/rasbt-instruction-data-with-preference.json")}}, held_out: 30, window: 128 }
            partition: { scheme: iid }
            lora: { rank: 4, alpha: 8 }
            training: { steps: 6, batch_size: 4, learning_rate: 0.005 }
            federation: { method: {{method}}, clients: 12, participants: 3, rounds: 3 }
            exchange: { segments: 1 }
            """;
        RunFile file = RunFile.Parse("pairs.yaml", text, [.. options.Select(OptionOverride.Parse)]);
        var input = RunInput.Load(file);
        float[] adapter = [];
        RunState state = await LocalCluster.RunAsync(new ClusterOptions
        {
            Plan = input.Plan(file.Name, file.Exchange),
            State = new DurableFolder(_folder[name]),
            Engine = input.Engine(threads, recomputesLayers: false),
            Threads = threads,
            WriteAdapter = (_, finished, _) => adapter = finished,
        }, TestContext.Current.CancellationToken);
        return (state, adapter);
    }
}
