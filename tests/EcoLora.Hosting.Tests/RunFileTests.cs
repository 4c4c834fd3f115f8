using System.Text;
using System.Text.Json.Nodes;
using EcoLora.Codec;
using EcoLora.Federation;
using EcoLora.Numerics;
using EcoLora.TestKit;

namespace EcoLora.Hosting.Tests;

public sealed class RunFileTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void A_file_with_a_name_only_has_the_paper_s_exchange_and_the_documented_defaults()
    {
        RunFile run = Read("name: first");
        Assert.Equal(new ExchangeOptions(), run.Exchange);
        Assert.Equal((1UL, 20, 10, 10, 10), (run.Seed, run.Federation.Clients, run.Federation.Participants, run.Federation.Rounds, run.Federation.Sites));
        Assert.Equal(["q_proj", "v_proj"], run.Lora.Targets);
        Assert.Equal(["dense-fp16", "dense-fp32"], run.Baselines.Select(baseline => baseline.Name));
        Assert.Equal((8, (int?)null, 1.0), (run.Training.Steps, run.Training.Epochs, run.Training.ClipNorm));
        Assert.Null(run.Evaluation.Records);
        Assert.Null(run.Federation.Deadline);
        Assert.Null(run.Dpo);
        Assert.Equal(Environment.ProcessorCount, run.Threads);
        Assert.Null(run.Model);
        Assert.Empty(run.Data.Files);
    }

    [Theory]
    [InlineData("task: dpo", 0.1)]
    [InlineData("task: dpo\ndpo: { beta: 0.5 }", 0.5)]
    [InlineData("dpo: { beta: 0.5 }", null)]
    public void Beta_counts_with_task_dpo(string text, double? beta) => Assert.Equal(beta, Read("name: pairs\n" + text).Dpo?.Beta);

    [Theory]
    [InlineData("task: rlhf", "expected sft or dpo, found 'rlhf'")]
    [InlineData("dpo: { beta: 0 }", "expected a number in (0, 1000], found '0'")]
    public void A_task_or_a_beta_that_is_none_is_refused(string text, string expected) =>
        Assert.Contains(expected, Assert.Throws<OptionsException>(() => Read("name: pairs\n" + text)).Message, StringComparison.Ordinal);

    [Theory]
    [InlineData("false", 2)] // 16 / 8
    [InlineData("true", 5.656854249492381)] // 16 / √8
    public void Flora_takes_ranks_by_client_and_drops_what_a_stack_has_no_use_for(string rslora, double scale)
    {
        RunFile run = Read($"name: first\nlora: {{ranks: [64, 4, 4], rslora: {rslora}}}\nfederation: {{method: flora}}");
        Assert.Equal([64, 4, 4, 64], Enumerable.Range(0, 4).Select(run.Lora.RankOf));
        Assert.Equal("[64,4,4]", run.Values.ToJson()["lora"]!["ranks"]!.ToJsonString());
        RunPlan plan = run.Draft("first", run.Exchange);
        Assert.Equal(scale, plan.Scale!.Value, 1e-12);
        Assert.Equal([64, 4, 4], plan.Ranks);
        Assert.Equal(run.Exchange with { MixingBeta = null, Feedback = 0 }, plan.Exchange);
        Assert.Equal(run.Values.ToCanonicalText(), RunFile.Parse("again", run.Values.ToCanonicalText(), []).Values.ToCanonicalText());
        RunFile fedit = Read("name: first");
        Assert.Null(fedit.Values.ToJson()["lora"]!["ranks"]);
        Assert.Equal((null, null, fedit.Exchange), (fedit.Draft("first", fedit.Exchange).Scale, fedit.Draft("first", fedit.Exchange).Ranks, fedit.Draft("first", fedit.Exchange).Exchange));
    }

    [Fact]
    public void Every_section_is_read()
    {
        RunFile run = Read("""
            name: all-of-it
            seed: 9007199254740991
            model: base
            data: { files: [a.jsonl, sub/b.json.gz], held_out: 40, template: alpaca, window: 256 }
            partition: { scheme: iid, alpha: 0.1, minimum: 3 }
            lora: { rank: 4, alpha: 8, dropout: 0.05, targets: [down_proj], rslora: true }
            training: { epochs: 2, batch_size: 4, learning_rate: 1e-3, schedule: cosine, warmup_steps: 5, weight_decay: 0.01, clip_norm: off }
            federation: { method: ffa-lora, clients: 7, participants: 3, rounds: 2, sites: 1, deadline: 90.5, minimum_coverage: 0, over_sampling: 0.5 }
            exchange: { segments: 3, k_max: 0.9, k_min_a: 0.25, k_min_b: 0.125, gamma_a: 1, gamma_b: 2, mixing_beta: off, feedback: 1, values: fp32 }
            baselines: [dense-fp32]
            evaluation: { every: 2, exact_match: false, max_new_tokens: 5, records: 11 }
            threads: 3
            """);
        Assert.Equal(9007199254740991UL, run.Seed);
        Assert.Equal(_folder["base"], run.Model);
        Assert.Equal([_folder["a.jsonl"], _folder["sub/b.json.gz"]], run.Data.Files);
        Assert.Equal((40.0, "alpaca", 256), (run.Data.HeldOut, run.Data.Template, run.Data.Window));
        Assert.Equal(new PartitionOptions { Scheme = "iid", Alpha = 0.1, Minimum = 3 }, run.Partition);
        Assert.Equal((4, 8.0, 0.05, true), (run.Lora.Rank, run.Lora.Alpha, run.Lora.Dropout, run.Lora.Rslora));
        Assert.Equal(["down_proj"], run.Lora.Targets);
        Assert.Equal(((int?)null, 2, 4, 1e-3, "cosine", 5, 0.01, (double?)null), (run.Training.Steps, run.Training.Epochs, run.Training.BatchSize,
            run.Training.LearningRate, run.Training.Schedule, run.Training.WarmupSteps, run.Training.WeightDecay, run.Training.ClipNorm));
        Assert.Equal(new FederationOptions { Method = "ffa-lora", Clients = 7, Participants = 3, Rounds = 2, Sites = 1, Deadline = new DeadlineOptions(90.5, 0, 0.5) }, run.Federation);
        Assert.Equal(new ExchangeOptions
        {
            Segments = 3,
            KMax = 0.9,
            KMinA = 0.25,
            KMinB = 0.125,
            GammaA = 1,
            GammaB = 2,
            MixingBeta = null,
            Feedback = 1,
            Values = ValueMode.Fp32,
        }, run.Exchange);
        Assert.Equal([ExchangePreset.DenseFp32], run.Baselines);
        Assert.Equal(new EvaluationOptions { Every = 2, ExactMatch = false, MaxNewTokens = 5, Records = 11 }, run.Evaluation);
        Assert.Equal(3, run.Threads);
    }

    [Fact]
    public void A_preset_is_the_default_of_every_option_that_is_not_given()
    {
        foreach (ExchangePreset preset in ExchangePreset.All)
        {
            RunFile run = Read($"name: x\nexchange: {{ preset: {preset.Name} }}");
            Assert.Equal((preset, preset.Options), (run.Preset, run.Exchange));
        }
        RunFile other = Read("name: x\nexchange: { preset: ecolora+, k_down: 0.2, values_down: int4, sums: senders }", "exchange.dense_rounds=1");
        Assert.Equal(ExchangePreset.EcoLoraPlus.Options with { KDown = 0.2, ValuesDown = ValueMode.Int4, Sums = CoverageScale.Senders, DenseRounds = 1 }, other.Exchange);
        RunFile replaced = Read("name: x\nexchange: { preset: dense-fp16, k_max: 0.8, segments: 3 }", "exchange.k_down=0.2", "exchange.preset=ecolora+");
        Assert.Equal(ExchangePreset.EcoLoraPlus.Options with { KDown = 0.2 }, replaced.Exchange);
        Assert.Equal(other.Exchange, RunFile.Parse("canonical", other.Values.ToCanonicalText(), []).Exchange);
        Assert.Equal(ExchangePreset.All, Read($"name: x\nbaselines: [{string.Join(", ", ExchangePreset.All.Select(preset => preset.Name))}]").Baselines);
        Assert.All(ExchangePreset.All, preset => Assert.True(RunPlan.IsName(preset.Slug), preset.Slug));
    }

    [Theory]
    [InlineData("off", null)]
    [InlineData("20 MB", 20_000_000L)]
    [InlineData("1.5 kB", 1_500L)]
    [InlineData("0.25 GB", 250_000_000L)]
    [InlineData("123456", 123_456L)]
    public void A_budget_is_a_number_of_bytes(string text, long? bytes)
    {
        RunFile run = Read($"name: x\nexchange: {{ preset: ecolora+, budget: {text} }}");
        Assert.Equal(ExchangePreset.EcoLoraPlus.Options with { Budget = bytes }, run.Exchange);
        Assert.Equal(run.Exchange, RunFile.Parse("canonical", run.Values.ToCanonicalText(), []).Exchange);
    }

    [Theory]
    [InlineData("exchange: {budget: 20MB}", ":2:20: exchange.budget: expected a number of bytes above 0, such as 20 MB, or off, found '20MB'")]
    [InlineData("exchange: {budget: 0}", ":2:20: exchange.budget: expected a number of bytes above 0, such as 20 MB, or off, found '0'")]
    [InlineData("exchange: {budget: 1.5}", ":2:20: exchange.budget: expected a number of bytes above 0, such as 20 MB, or off, found '1.5'")]
    [InlineData("exchange: {budget: -1 MB}", ":2:20: exchange.budget: expected a number of bytes above 0, such as 20 MB, or off, found '-1 MB'")]
    [InlineData("exchange: {segmnts: 3}", ":2:12: unknown option 'segmnts' in exchange; did you mean 'segments'?")]
    [InlineData("exchnage:\n  segments: 3", ":2:1: unknown option 'exchnage'; did you mean 'exchange'?")]
    [InlineData("rounds: 3", ":2:1: unknown option 'rounds'; did you mean 'federation.rounds'?")]
    [InlineData("exchange.segments: 3", ":2:1: unknown option 'exchange.segments'; did you mean 'exchange.segments'?")]
    [InlineData("lora: {alhpa: 3}", ":2:8: unknown option 'alhpa' in lora; did you mean 'alpha'?")]
    [InlineData("lora: {rank: five}", ":2:14: lora.rank: expected a whole number of 1 to 1024, found 'five'")]
    [InlineData("lora: {rank: 0}", ":2:14: lora.rank: expected a whole number of 1 to 1024, found '0'")]
    [InlineData("lora: {rank: '8'}", ":2:14: lora.rank: expected a whole number of 1 to 1024, found the text '8'")]
    [InlineData("lora: {rank: [8]}", ":2:14: lora.rank: expected a whole number of 1 to 1024, found a list")]
    [InlineData("lora:\n  rank:", ":3:8: lora.rank: expected a whole number of 1 to 1024, found nothing")]
    [InlineData("lora: 8", ":2:7: lora: expected a group of options, found '8'")]
    [InlineData("lora: {dropout: 1}", ":2:17: lora.dropout: expected a number in [0, 1), found '1'")]
    [InlineData("lora: {rslora: yes}", ":2:16: lora.rslora: expected true or false, found 'yes'")]
    [InlineData("lora: {targets: [q_proj, qproj]}",
        ":2:17: lora.targets: expected a list of at least 1 of q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj or down_proj, each once, found 'qproj'")]
    [InlineData("lora: {targets: [q_proj, q_proj]}",
        ":2:17: lora.targets: expected a list of at least 1 of q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj or down_proj, "
        + "each once, found [q_proj, q_proj]")]
    [InlineData("lora: {targets: []}",
        ":2:17: lora.targets: expected a list of at least 1 of q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj or down_proj, each once, found []")]
    [InlineData("exchange: {k_max: 0}", ":2:19: exchange.k_max: expected a number in (0, 1], found '0'")]
    [InlineData("exchange: {k_max: 1.01}", ":2:19: exchange.k_max: expected a number in (0, 1], found '1.01'")]
    [InlineData("exchange: {k_max: NaN}", ":2:19: exchange.k_max: expected a number in (0, 1], found 'NaN'")]
    [InlineData("exchange: {gamma_a: Infinity}", ":2:21: exchange.gamma_a: expected a number of 0 or more, found 'Infinity'")]
    [InlineData("exchange: {mixing_beta: none}", ":2:25: exchange.mixing_beta: expected a number of 0 or more, or off, found 'none'")]
    [InlineData("exchange: {values: int6}", ":2:20: exchange.values: expected fp16, bf16, int8, int4, sign or fp32, found 'int6'")]
    [InlineData("data: {held_out: 1.5}", ":2:18: data.held_out: expected a share in (0, 1) or a whole number of 1 or more, found '1.5'")]
    [InlineData("federation: {method: fedavg}", ":2:22: federation.method: expected fedit, ffa-lora or flora, found 'fedavg'")]
    [InlineData("lora: {ranks: [4, 4]}", ":2:15: lora.ranks: expected none with federation.method fedit, found [4, 4]")]
    [InlineData("lora: {ranks: [4, 0]}", ":2:15: lora.ranks: expected a list of 1 or more, each a whole number of 1 to 1024, found a list")]
    [InlineData("seed: 1\nseed: 2", ":3:1: expected 'seed' once, found it here and in line 2")]
    [InlineData("seed: &x 1", ":2:7: expected a value, found an anchor (&), which option files do not use")]
    [InlineData("seed: *x", ":2:7: expected a value, found an alias (*), which option files do not use")]
    [InlineData("seed: !!int 1", ":2:7: expected a value, found a tag (!), which option files do not use")]
    [InlineData("training: {steps: 2, epochs: 1}", ":2:30: training.epochs: expected it or training.steps, found both")]
    public void A_wrong_line_is_refused_with_its_place_what_was_expected_and_what_was_found(string line, string refusal)
    {
        var refused = Assert.Throws<OptionsException>(() => Read("name: x\n" + line));
        Assert.Equal(_folder["run.yaml"] + refusal, refused.Message);
    }

    [Theory]
    [InlineData("federation: {participants: 21}", ":2:28: federation.participants: expected 1 to 20 (federation.clients), found 21")]
    [InlineData("federation: {deadline: 0}", ":2:24: federation.deadline: expected a number in (0, 2592000], or off, found '0'")]
    [InlineData("federation: {deadline: 60, minimum_coverage: 3}",
        ":2:46: federation.minimum_coverage: expected 0 to 2, which 10 participants with 5 segments can reach, found 3")]
    [InlineData("federation: {over_sampling: 0.3}", ":2:29: federation.over_sampling: expected 0 without federation.deadline, found 0.3")]
    [InlineData("federation: {sites: 21}", ":2:21: federation.sites: expected 1 to 20 (federation.clients), found 21")]
    [InlineData("exchange: {segments: 11}",
        ":2:22: exchange.segments: expected 1 to 10 (federation.participants), so that every segment has a sender, found 11")]
    [InlineData("exchange: {k_min_a: 0.96}", ":2:21: exchange.k_min_a: expected in (0, 0.95] (k_max), found 0.96")]
    [InlineData("federation: {participants: 4}", ": exchange.segments: expected 1 to 4 (federation.participants), so that every segment has a sender, found 5")]
    [InlineData("data: {files: [a, b]}\npartition: {scheme: file}",
        ": federation.clients: expected 2, one per file of data.files, with partition.scheme file, found 20")]
    public void Options_that_do_not_fit_together_are_refused_at_the_option_that_was_given(string lines, string refusal)
    {
        var refused = Assert.Throws<OptionsException>(() => Read("name: x\n" + lines));
        Assert.Equal(_folder["run.yaml"] + refusal, refused.Message);
    }

    [Theory]
    [InlineData("name: Capital", ":1:7: name: expected 1 to 40 of a-z, 0-9 and -, found 'Capital'")]
    [InlineData("seed: 3", ": name: expected 1 to 40 of a-z, 0-9 and -, found nothing")]
    [InlineData("", ": name: expected 1 to 40 of a-z, 0-9 and -, found nothing")]
    [InlineData("- name", ":1:1: expected options as 'key: value' lines, found a list")]
    [InlineData("just words", ":1:1: expected options as 'key: value' lines, found 'just words'")]
    [InlineData("name: a\n---\nname: b", ":2:1: expected one document, found another one")]
    [InlineData("[[[[[[[[[[[[1]]]]]]]]]]]]", ":1:10: expected at most 8 levels, found more")]
    public void A_file_that_is_no_run_file_is_refused(string text, string refusal)
    {
        var refused = Assert.Throws<OptionsException>(() => Read(text));
        Assert.Equal(_folder["run.yaml"] + refusal, refused.Message);
    }

    [Fact]
    public void Broken_YAML_is_refused_in_one_line_with_its_place()
    {
        var refused = Assert.Throws<OptionsException>(() => Read("name: [x\nseed: 1"));
        Assert.StartsWith(_folder["run.yaml"] + ":1:7: not valid YAML", refused.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', refused.Message);
    }

    /// <summary>Hostile input: bytes of a good file replaced, removed or doubled at seeded places.</summary>
    [Fact]
    public void Whatever_the_text_is_it_is_read_or_refused_in_one_line()
    {
        const string Good = "name: x # a comment\ndata: {files: [a, 'b'], held_out: 0.1}\n"
            + "lora:\n  rank: 4\n  targets:\n  - q_proj\nexchange:\n  k_max: \"0.9\"\n";
        const string Alphabet = "{}[]:,-#&*!|>'\"%@`?~ \n\t\0\u0085ax0";
        var random = new RandomStream(1, "mutations");
        for (int i = 0; i < 600; i++)
        {
            var text = new StringBuilder(Good);
            for (int edits = 1 + random.NextInt32(4); edits > 0; edits--)
            {
                int at = random.NextInt32(text.Length);
                switch (random.NextInt32(3))
                {
                    case 0: text[at] = Alphabet[random.NextInt32(Alphabet.Length)]; break;
                    case 1: text.Remove(at, Math.Min(1 + random.NextInt32(8), text.Length - at - 1)); break;
                    default: text.Insert(at, Alphabet[random.NextInt32(Alphabet.Length)]); break;
                }
            }
            if (Record.Exception(() => Read(text.ToString())) is { } refused)
            {
                Assert.IsType<OptionsException>(refused);
                Assert.DoesNotContain('\n', refused.Message);
            }
        }
    }

    [Fact]
    public void A_file_that_is_missing_or_a_folder_or_too_large_or_not_text_is_refused()
    {
        Assert.Equal($"{_folder["none.yaml"]}: no such file", Refusal(() => RunFile.Read(_folder["none.yaml"], [])));
        Assert.Equal($"{_folder.Path}: expected a file, found a folder", Refusal(() => RunFile.Read(_folder.Path, [])));
        File.WriteAllText(_folder["large.yaml"], "name: x\n" + new string('#', YamlText.LargestFile));
        Assert.Equal($"{_folder["large.yaml"]}: expected at most 1048576 bytes, found more", Refusal(() => RunFile.Read(_folder["large.yaml"], [])));
        File.WriteAllBytes(_folder["bytes.yaml"], [(byte)'n', 0xFF]);
        Assert.Equal($"{_folder["bytes.yaml"]}: expected UTF-8 text, found another byte at offset 1", Refusal(() => RunFile.Read(_folder["bytes.yaml"], [])));
    }

    [Fact]
    public void Set_replaces_what_the_file_says_and_the_last_one_counts()
    {
        RunFile run = Read("name: x\nexchange: {segments: 4}", "exchange.segments=3", "exchange.segments=2", "lora.targets=[k_proj, o_proj]", "baselines=[]",
            "exchange.mixing_beta=off");
        Assert.Equal(2, run.Exchange.Segments);
        Assert.Equal(["k_proj", "o_proj"], run.Lora.Targets);
        Assert.Empty(run.Baselines);
        Assert.Null(run.Exchange.MixingBeta);
    }

    [Fact]
    public void Setting_epochs_takes_the_place_of_the_file_s_steps()
    {
        RunFile run = Read("name: x\ntraining: {steps: 4}", "training.epochs=2");
        Assert.Equal(((int?)null, (int?)2), (run.Training.Steps, run.Training.Epochs));
    }

    [Theory]
    [InlineData("exchange.segmets=3", "--set exchange.segmets=3: unknown option 'exchange.segmets'; did you mean 'exchange.segments'?")]
    [InlineData("segments=3", "--set segments=3: unknown option 'segments'; did you mean 'exchange.segments'?")]
    [InlineData("exchange=3", "--set exchange=3: expected an option of exchange, such as exchange.preset, found the group 'exchange'")]
    [InlineData("exchange.segments", "--set exchange.segments: expected key=value, such as exchange.segments=3")]
    [InlineData("seed=*x", "--set seed=*x: expected a value, found an alias (*), which option files do not use")]
    [InlineData("=3", "--set =3: expected key=value, such as exchange.segments=3")]
    [InlineData("exchange.segments=", "--set exchange.segments=: exchange.segments: expected a whole number of 1 to 65535, found nothing")]
    [InlineData("exchange.segments=11",
        "--set exchange.segments=11: exchange.segments: expected 1 to 10 (federation.participants), so that every segment has a sender, found 11")]
    [InlineData("lora.targets=[q_proj", "--set lora.targets=[q_proj: not valid YAML: ")]
    public void A_wrong_set_is_refused_and_named(string assignment, string refusal) =>
        Assert.StartsWith(refusal, Refusal(() => Read("name: x", assignment)), StringComparison.Ordinal);

    [Fact]
    public void A_path_of_the_command_line_is_kept_relative_to_the_run_file()
    {
        File.WriteAllText(_folder["run.yaml"], "name: x\nmodel: other");
        string model = _folder["with space, and [brackets]/m: #1"];
        RunFile run = RunFile.Read(_folder["run.yaml"], [RunFile.PathOverride(_folder["run.yaml"], "model", [model], "--model"),
            RunFile.PathOverride(_folder["run.yaml"], "data.files", [_folder["a"], "/b"], "--data")]);
        Assert.Equal(model, run.Model);
        Assert.Equal([_folder["a"], "/b"], run.Data.Files);
        Assert.Equal("with space, and [brackets]/m: #1", (string?)run.Values.ToJson()["model"]);
    }

    [Fact]
    public void The_canonical_form_holds_every_default_and_no_threads_and_is_the_same_for_the_same_run()
    {
        RunFile plain = Read("name: x\nexchange: {k_max: 0.950}\nthreads: 1"), other = Read("# comment\nthreads: 8\nname: 'x'", "exchange.k_max=9.5e-1");
        Assert.Equal(plain.Values.ToCanonicalText(), other.Values.ToCanonicalText());
        JsonObject json = JsonNode.Parse(plain.Values.ToCanonicalText())!.AsObject();
        Assert.Equal(0.95, (double)json["exchange"]!["k_max"]!);
        Assert.Equal("off", (string?)JsonNode.Parse(Read("name: x", "exchange.mixing_beta=off").Values.ToCanonicalText())!["exchange"]!["mixing_beta"]);
        Assert.False(json.ContainsKey("threads"));
        Assert.Null(OptionDifference.First(json, other.Values.ToJson()));
    }

    [Fact]
    public void The_first_option_that_differs_is_named_with_both_values()
    {
        JsonObject first = Read("name: x").Values.ToJson();
        Assert.Equal(new OptionDifference("exchange.segments", "5", "3"),
            OptionDifference.First(first, Read("name: x", "exchange.segments=3").Values.ToJson()));
        Assert.Equal(new OptionDifference("training.steps", "8", "nothing"),
            OptionDifference.First(first, Read("name: x", "training.epochs=3").Values.ToJson()));
        Assert.Equal(new OptionDifference("model", "nothing", "\"m\""), OptionDifference.First(first, Read("name: x\nmodel: m").Values.ToJson()));
    }

    private RunFile Read(string text, params string[] sets)
    {
        File.WriteAllText(_folder["run.yaml"], text);
        return RunFile.Read(_folder["run.yaml"], sets.Select(OptionOverride.Parse));
    }

    private static string Refusal(Action read) => Assert.Throws<OptionsException>(read).Message;
}
