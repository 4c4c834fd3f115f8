using System.Text.Json;
using EcoLora.Federation;
using EcoLora.Hosting;
using EcoLora.Services.Trainer;
using EcoLora.TestKit;

namespace EcoLora.Services.Tests;

public sealed class RunInputsTests : IDisposable
{
    private static readonly string _model = Path.Combine(Repository.Root, "samples", "base");

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void The_engine_of_a_run_is_loaded_once_while_its_clients_have_what_they_enrolled_with()
    {
        Write(12);
        RunInputs inputs = Inputs();
        RunInput input = inputs.Load("run-1", Options());
        RunPlan plan = Plan(input);
        Assert.Equal(10, plan.Roster.Sum(enrolment => enrolment.Samples));
        Assert.Same(inputs.EngineOf(plan), inputs.EngineOf(plan));
        Assert.Same(input, inputs.Load("run-1", Options()));
        Write(20); // What is loaded stays as it is.
        Assert.Same(inputs.EngineOf(plan), inputs.EngineOf(plan));
    }

    [Fact]
    public void Data_that_changed_since_enrolment_is_refused_with_the_client_and_both_counts()
    {
        Write(12);
        RunPlan plan = Plan(Inputs().Load("run-1", Options()));
        Write(22);
        RunInputs afterwards = Inputs();
        int found = afterwards.Load("run-1", Options()).Data.Clients[0].Count;
        Assert.NotEqual(plan.Roster[0].Samples, found);
        Assert.Equal($"run run-1: client 0: expected the {plan.Roster[0].Samples} training records that it enrolled with, found {found}",
            Assert.Throws<RosterChangedException>(() => afterwards.EngineOf(plan)).Message);
    }

    [Fact]
    public void The_samples_of_clients_that_are_elsewhere_do_not_matter()
    {
        Write(12);
        RunPlan plan = Plan(Inputs().Load("run-1", Options()));
        plan = plan with { Roster = [plan.Roster[0], plan.Roster[1] with { Samples = 99 }] };
        Assert.NotNull(Inputs(client => client == 0).EngineOf(plan));
        Assert.Throws<RosterChangedException>(() => Inputs().EngineOf(plan));
    }

    [Fact]
    public void Those_of_the_last_two_runs_stay_loaded()
    {
        Write(12);
        RunInputs inputs = Inputs();
        RunInput first = inputs.Load("run-1", Options()), second = inputs.Load("run-2", Options());
        Assert.Same(first, inputs.Load("run-1", Options()));
        inputs.Load("run-3", Options()); // The second was used least recently.
        Assert.Same(first, inputs.Load("run-1", Options()));
        Assert.NotSame(second, inputs.Load("run-2", Options()));
    }

    [Fact]
    public void A_plan_without_options_and_a_name_that_is_not_here_are_refused()
    {
        Write(12);
        RunPlan plan = Plan(Inputs().Load("run-1", Options()));
        Assert.Throws<InvalidOperationException>(() => Inputs().EngineOf(plan with { Options = null }));
        var none = new RunInputs(new Dictionary<string, string>(), new Dictionary<string, string>(), _ => true, threads: 1, recomputesLayers: false, device: "auto");
        Assert.Equal("model: expected a name that this trainer knows (), found 'base'", Assert.Throws<UnknownNameException>(() => none.EngineOf(plan)).Message);
    }

#if !TORCH
    [Fact]
    public void An_engine_that_this_build_has_not_is_refused_by_name()
    {
        Write(12);
        Assert.StartsWith("engine: expected managed, which is all that this build has, found torch", Assert.Throws<ArgumentException>(() => Inputs().Load("run-1", Options("engine: torch"))).Message, StringComparison.Ordinal);
    }
#endif

    private RunInputs Inputs(Func<int, bool>? hosts = null) =>
        new(new Dictionary<string, string> { ["base"] = _model }, new Dictionary<string, string> { ["records.jsonl"] = _folder["records.jsonl"] }, hosts ?? (_ => true),
            threads: 4, recomputesLayers: false, device: "auto");

    private static RunPlan Plan(RunInput input) => input.Plan("run-1", new ExchangeOptions { Segments = 1 }) with { Options = Options() };

    private static JsonElement Options(string more = "") => AnnouncedOptions.Of(RunFile.Parse("run", $$"""
        name: run-1
        model: base
        data: { files: [records.jsonl], held_out: 2, window: 32 }
        partition: { scheme: iid }
        federation: { clients: 2, participants: 1, sites: 1 }
        exchange: { segments: 1 }
        {{more}}
        """, []));

    private void Write(int records) => File.WriteAllLines(_folder["records.jsonl"], Enumerable.Range(0, records).Select(i =>
        JsonSerializer.Serialize(new { instruction = $"add {i}", context = "", response = $"{i + 1}", category = "sums" })));
}
