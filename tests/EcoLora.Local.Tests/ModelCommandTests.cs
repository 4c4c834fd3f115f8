using System.Diagnostics;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using EcoLora.Formats.HuggingFace;
using EcoLora.Formats.Peft;
using EcoLora.TestKit;
using EcoLora.Training;

namespace EcoLora.Local.Tests;

/// <summary>Pretrains one small model and uses it as a person would.</summary>
public sealed class ModelCommandTests(PretrainedModel pretrained) : IClassFixture<PretrainedModel>
{
    private readonly TemporaryFolder _folder = pretrained.Folder;
    private readonly string _model = pretrained.Model;

    [Fact]
    public void Pretraining_gives_the_same_bytes_again_and_refuses_a_folder_that_is_used()
    {
        string again = SmallModel.Make(_folder.Path, "again");
        foreach (string file in Directory.GetFiles(_model))
            Assert.Equal(File.ReadAllBytes(file), File.ReadAllBytes(Path.Combine(again, Path.GetFileName(file))));
        Assert.Equal(5, Directory.GetFiles(_model).Length);

        string job = _folder["pretrain.yaml"];
        Assert.Equal(new Outcome(ExitCodes.FolderRefused, "", $"ecolora: {_model} holds a model already; replace it by --force\n"),
            Ecolora.Run("pretrain", job, "--out", _model));
        Assert.Equal(ExitCodes.FolderRefused, Ecolora.Run("pretrain", job, "--out", _folder.Path).Code);
    }

    [Fact]
    public void Options_of_a_pretraining_file_can_be_set_and_a_forced_job_replaces_the_model()
    {
        string job = _folder["pretrain.yaml"], forced = SmallModel.Make(_folder.Path, "forced");
        byte[] weights = File.ReadAllBytes(Path.Combine(forced, "model.safetensors"));
        JsonNode result = JsonNode.Parse(Ecolora.Succeed("pretrain", job, "--out", forced, "--force", "--json", "--set", "seed=2", "--set", "saved_as=bf16"))!;
        Assert.Equal(12, (int)result["steps"]!);
        Assert.InRange((double)result["loss"]!, 4.0, 6.0);
        Assert.InRange(File.ReadAllBytes(Path.Combine(forced, "model.safetensors")).Length, 1, weights.Length * 2 / 3);
    }

    [Theory]
    [InlineData("model.heads=3", "model.hidden: expected an even multiple of model.heads, found 16")]
    [InlineData("training.window=129", "--set training.window=129: training.window: expected at most model.positions = 128, found 129")]
    [InlineData("tokenizer.vocabulary=100", "--set tokenizer.vocabulary=100: tokenizer.vocabulary: expected a whole number of 258 to 65536, found '100'")]
    [InlineData("corpus=missing.txt", "missing.txt: no such file")]
    public void A_pretraining_file_that_cannot_be_used_is_refused(string assignment, string refusal)
    {
        Outcome outcome = Ecolora.Run("pretrain", _folder["pretrain.yaml"], "--out", _folder["other"], "--set", assignment);
        Assert.Equal(ExitCodes.BadInput, outcome.Code);
        string line = outcome.Error.Split('\n', StringSplitOptions.RemoveEmptyEntries)[^1];
        Assert.Contains(refusal, line, StringComparison.Ordinal);
        Assert.False(Directory.Exists(_folder["other"]));
    }

    [Fact]
    public void The_sample_is_a_pretraining_file_for_a_small_model()
    {
        PretrainFile sample = PretrainFile.Read(Path.Combine(Repository.Root, "samples/pretrain.yaml"), []);
        LlamaConfig config = sample.Model;
        config.Validate();
        Assert.InRange(ParameterLayout.Of(config).Length, 100_000, 2_500_000);
    }

    [Fact]
    public void Evaluation_weighs_categories_by_their_tokens_and_an_adapter_of_zeros_changes_nothing()
    {
        Ecolora.Succeed("data", "generate", "--records", "100", "--out", _folder["tasks.jsonl"]);
        string[] arguments = ["eval", "--model", _model, "--data", _folder["tasks.jsonl"], "--max-new-tokens", "4", "--json"];
        string plain = Ecolora.Succeed(arguments);
        JsonNode scores = JsonNode.Parse(plain)!;
        JsonArray categories = scores["categories"]!.AsArray();
        double sum = categories.Sum(category => (double)category!["loss"]! * (long)category["answerTokens"]!);
        Assert.Equal(100, (int)scores["records"]!);
        Assert.Equal(sum / (long)scores["answerTokens"]!, (double)scores["loss"]!, 1e-9);
        Assert.InRange((double)scores["exactMatch"]!, 0, 0.5);
        Assert.Equal(Math.Exp((double)scores["loss"]!), (double)scores["perplexity"]!, 1e-6);
        Assert.InRange((double)scores["lossStandardError"]!, 0.001, 1);
        double exact = (double)scores["exactMatch"]!;
        Assert.Equal(Math.Sqrt(exact * (1 - exact) / 99), (double)scores["exactMatchStandardError"]!, 1e-12);
        Assert.Empty(scores["choices"]!.AsArray());
        Assert.Equal(9, categories.Count);

        WriteAdapter("zeros", b: 0);
        WriteAdapter("ones", b: 1);
        Assert.Equal(plain, Ecolora.Succeed([.. arguments, "--adapter", _folder["zeros"], "--threads", "1"]));
        Assert.NotEqual(plain, Ecolora.Succeed([.. arguments, "--adapter", _folder["ones"]]));
        string table = Ecolora.Succeed([.. arguments[..^1], "--no-exact-match"]);
        Assert.Matches(@"\nall +100 +\d+ +\d+\.\d{4} ± 0\.\d{4} +\d+\.\d{4} +–\n", table);
        Assert.DoesNotContain('\u001b', table);
    }

    [Fact]
    public void A_run_file_s_held_out_records_are_evaluated()
    {
        Ecolora.Succeed("data", "generate", "--records", "200", "--out", _folder["tasks.jsonl"]);
        File.WriteAllText(_folder["run.yaml"],
            "name: x\nmodel: base\ndata: { files: tasks.jsonl, held_out: 30, window: 64 }\nevaluation: { max_new_tokens: 2 }\n");
        Assert.Equal(30, (int)JsonNode.Parse(Ecolora.Succeed("eval", _folder["run.yaml"], "--json"))!["records"]!);
        Assert.Contains("window: expected at most 128 (the model's max_position_embeddings), found 500",
            Ecolora.Run("eval", _folder["run.yaml"], "--window", "500").Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Multiple_choice_files_are_scored_in_the_order_given_with_or_without_records()
    {
        File.WriteAllLines(_folder["q.jsonl"], Enumerable.Range(0, 9).Select(i => $$"""
            {"question": "Who has ball {{i}}?", "choices": {"text": ["Anna", "Tom has it.", "nobody"], "label": ["1", "2", "3"]}, "answerKey": "{{1 + i % 3}}"}
            """.Trim()));
        string longQuestion = string.Concat(Enumerable.Repeat("Anna has a red ball. ", 30));
        File.WriteAllText(_folder["q.csv"], $"\"Who,\nsay?\",Anna,Tom,Mia,Ben,B\n{longQuestion},Anna,Tom,Mia,Ben,B\n");
        string[] arguments = ["eval", "--model", _model, "--choices", _folder["q.jsonl"], "--choices", _folder["q.csv"]];
        Outcome outcome = Ecolora.Run([.. arguments, "--json"]);
        Assert.Contains($"scoring {_folder["q.jsonl"]}…\n", outcome.Error, StringComparison.Ordinal);
        Assert.Contains("\nchoice 27/27  ", outcome.Error, StringComparison.Ordinal);
        JsonNode scores = JsonNode.Parse(outcome.Output)!;
        Assert.Null(scores["loss"]);
        JsonArray files = scores["choices"]!.AsArray();
        Assert.Equal([_folder["q.jsonl"], _folder["q.csv"]], files.Select(file => (string)file!["file"]!));
        Assert.Equal([(9, 0), (2, 1)], files.Select(file => ((int)file!["questions"]!, (int)file["cut"]!)));
        foreach (string name in (string[])["accuracy", "normalizedAccuracy"])
        {
            double p = (double)files[0]![name]!;
            Assert.Equal(Math.Round(p * 9), p * 9, 1e-9);
            Assert.Equal(Math.Sqrt(p * (1 - p) / 8), (double)files[0]![name + "StandardError"]!, 1e-12);
        }
        // Letters are one character each, so that there is nothing to normalise.
        Assert.Equal((double)files[1]!["accuracy"]!, (double)files[1]!["normalizedAccuracy"]!);
        Assert.Equal(outcome.Output, Ecolora.Succeed([.. arguments, "--json", "--threads", "1"]));

        Ecolora.Succeed("data", "generate", "--records", "100", "--out", _folder["few.jsonl"]);
        string table = Ecolora.Succeed([.. arguments, "--data", _folder["few.jsonl"], "--no-exact-match"]);
        Assert.Matches(@"\nall +100 ", table);
        Assert.Matches($@"\n{Regex.Escape(_folder["q.jsonl"])} +9 +0 +\d+\.\d% ± \d+\.\d% +\d+\.\d% ± \d+\.\d%\n", table);
    }

    [Fact]
    public void Ctrl_C_ends_an_evaluation_with_code_130()
    {
        File.WriteAllLines(_folder["many.csv"], Enumerable.Range(0, 20_000).Select(i => $"Who has ball {i}?,Anna,Tom,Mia,Ben,B"));
        using Process process = Ecolora.Start("eval", "--model", _model, "--choices", _folder["many.csv"], "--threads", "1");
        while (process.StandardError.ReadLine() is { } line && !line.StartsWith("scoring ", StringComparison.Ordinal)) { }
        foreach (string signal in (string[])["-INT", "-TERM"])
            using (Process kill = Process.Start("kill", [signal, $"{process.Id}"])) kill.WaitForExit();
        string[] rest = process.StandardError.ReadToEnd().Split('\n', StringSplitOptions.RemoveEmptyEntries);
        process.WaitForExit();
        Assert.Equal((ExitCodes.Interrupted, "ecolora: interrupted"), (process.ExitCode, rest[^1]));
        Assert.Equal("", process.StandardOutput.ReadToEnd());
    }

    [Fact]
    public void Sampled_text_depends_on_the_seed_and_temperature_0_is_greedy()
    {
        string[] arguments = ["generate", "--model", _model, "--prompt", "Anna has", "--max-new-tokens", "21"];
        string sampled = Ecolora.Succeed([.. arguments, "--temperature", "1.5", "--top-p", "0.95", "--seed", "7"]);
        Assert.Equal(sampled, Ecolora.Succeed([.. arguments, "--temperature", "1.5", "--top-p", "0.95", "--seed", "7"]));
        Assert.NotEqual(sampled, Ecolora.Succeed([.. arguments, "--temperature", "1.5", "--top-p", "0.95", "--seed", "8"]));
        string greedy = Ecolora.Succeed(arguments);
        Assert.NotEqual(greedy, sampled);
        Assert.Equal(greedy, Ecolora.Succeed([.. arguments, "--temperature", "0"]));
        Assert.Equal(greedy, Ecolora.Succeed([.. arguments, "--temperature", "2", "--top-p", "1e-9"]));
    }

    [Fact]
    public void Text_is_generated_from_an_argument_and_from_standard_input_alike()
    {
        string text = Ecolora.Succeed("generate", "--model", _model, "--prompt", "Anna has", "--max-new-tokens", "21");
        Assert.EndsWith("\n", text, StringComparison.Ordinal);
        Assert.Equal(text, Ecolora.RunWithInput("Anna has\n", "generate", "--model", _model, "--max-new-tokens", "21").Output);
        Outcome tooLong = Ecolora.Run("generate", "--model", _model, "--prompt", "Anna", "--max-new-tokens", "128");
        Assert.Equal(ExitCodes.BadInput, tooLong.Code);
        Assert.StartsWith("ecolora: prompt: expected at most 0 tokens (max_position_embeddings 128 − --max-new-tokens 128), found ", tooLong.Error,
            StringComparison.Ordinal);
    }

    [Fact]
    public void The_known_text_of_a_real_model_comes_out()
    {
        string model = SharedData.Path("model/stories260K-hf");
        string known = (string)JsonNode.Parse(File.ReadAllText(Path.Combine(model, "known_answers.json")))!["greedy_text"]!;
        const string Prompt = "Once upon a time";
        Assert.Equal(known[Prompt.Length..] + "\n", Ecolora.Succeed("generate", "--model", model, "--prompt", Prompt, "--max-new-tokens", "196"));
        string answer = Ecolora.Succeed("generate", "--model", model, "--prompt", Prompt, "--template", "plain", "--context", "Tom is here.",
            "--max-new-tokens", "9");
        Assert.DoesNotMatch("^\\s", answer);
        Assert.DoesNotContain(known[Prompt.Length..30], answer, StringComparison.Ordinal);
    }

    private void WriteAdapter(string name, float b)
    {
        ModelConfig config = ModelFolder.ReadConfig(_model);
        float[] a = [.. Enumerable.Repeat(0.5f, 2 * config.HiddenSize)], bs = [.. Enumerable.Repeat(b, 2 * config.HiddenSize)];
        new PeftAdapter("base", [new PeftModule("model.layers.1.self_attn.q_proj", 2, 4, config.HiddenSize, config.HiddenSize, a, bs)]).Write(_folder[name]);
    }
}

/// <summary>The model of <see cref="SmallModel"/>, made once.</summary>
public sealed class PretrainedModel : IDisposable
{
    public PretrainedModel() => Model = SmallModel.Make(Folder.Path, "base");

    public TemporaryFolder Folder { get; } = new();

    public string Model { get; }

    public void Dispose() => Folder.Dispose();
}
