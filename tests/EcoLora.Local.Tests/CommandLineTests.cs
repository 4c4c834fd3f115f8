using System.Diagnostics;
using EcoLora.Hosting;
using EcoLora.TestKit;

namespace EcoLora.Local.Tests;

public sealed class CommandLineTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("run")]
    [InlineData("pretrain")]
    [InlineData("eval")]
    [InlineData("generate")]
    [InlineData("merge")]
    [InlineData("inspect")]
    [InlineData("data generate")]
    [InlineData("data corpus")]
    [InlineData("data show")]
    [InlineData("bench codec")]
    [InlineData("bench fuzz")]
    [InlineData("up")]
    [InlineData("submit")]
    [InlineData("options")]
    public void Every_command_has_help_with_examples_and_exit_codes(string command)
    {
        string help = Ecolora.Succeed([.. command.Split(' '), "--help"]);
        Assert.Contains($"Usage:\n  ecolora {command} ", help, StringComparison.Ordinal);
        Assert.Contains($"Examples:\n  ", help, StringComparison.Ordinal);
        Assert.Contains($"ecolora {command} ", help[help.IndexOf("Examples:", StringComparison.Ordinal)..], StringComparison.Ordinal);
        Assert.Contains("Exit codes:\n  0 done; 1 ", help, StringComparison.Ordinal);
        Assert.DoesNotContain('\u001b', help);
    }

    [Fact]
    public void The_root_lists_every_command()
    {
        string help = Ecolora.Succeed("--help");
        foreach (string command in (string[])["run", "eval", "generate", "merge", "inspect", "data", "pretrain", "bench", "up", "submit"])
            Assert.Contains($"\n  {command} ", help, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("", "ecolora: expected a command: run, eval, generate, merge, inspect, options, data, pretrain, bench, up, submit, watch, fetch, list, show, cancel, resume, key, sites, admit, revoke, refusals, topics, ledger (see ecolora --help)")]
    [InlineData("data", "ecolora: expected a command: generate, corpus, show (see ecolora data --help)")]
    [InlineData("topics", "ecolora: expected a command: ensure, show (see ecolora topics --help)")]
    [InlineData("topics ensure --copies 0", "ecolora: --copies: expected a whole number of 1 to 9, found '0' (see ecolora topics ensure --help)")]
    [InlineData("rum x.yaml", "ecolora: unknown argument 'rum'; did you mean 'run'? (see ecolora --help)")]
    [InlineData("run", "ecolora: Required argument 'FILE.yaml' missing for command: 'run' (see ecolora run --help)")]
    [InlineData("run x.yaml --ressume", "ecolora: unknown argument '--ressume'; did you mean '--resume'? (see ecolora run --help)")]
    [InlineData("run x.yaml --resume --force", "ecolora: --resume and --force exclude each other (see ecolora run --help)")]
    [InlineData("run x.yaml --threads many", "ecolora: --threads: expected a whole number of 0 to 1024, found 'many' (see ecolora run --help)")]
    [InlineData("generate", "ecolora: Option '--model' is required (see ecolora generate --help)")]
    [InlineData("generate --model m --template llama", "ecolora: --template: expected none or alpaca or plain or llama2 or llama3 or chatml or mistral or mistral-v1 or zephyr, found 'llama' (see ecolora generate --help)")]
    [InlineData("generate --model m --context x --template llama", "ecolora: --template: expected none or alpaca or plain or llama2 or llama3 or chatml or mistral or mistral-v1 or zephyr, found 'llama' (see ecolora generate --help)")]
    [InlineData("generate --model m --temperature -1", "ecolora: --temperature: expected a number of 0 to 100, found '-1' (see ecolora generate --help)")]
    [InlineData("generate --model m --temperature 1 --top-p 0", "ecolora: --top-p: expected a number above 0, at most 1, found '0' (see ecolora generate --help)")]
    [InlineData("generate --model m --top-p .9", "ecolora: --top-p needs --temperature (see ecolora generate --help)")]
    [InlineData("generate --model m --seed 2", "ecolora: --seed needs --temperature (see ecolora generate --help)")]
    [InlineData("data corpus --bytes 0 --out x",
        "ecolora: --bytes: expected a whole number of 1 to 1073741824, found '0' (see ecolora data corpus --help)")]
    [InlineData("bench codec --density .1,2",
        "ecolora: --density: expected numbers in (0, 1] with commas between, found '.1,2' (see ecolora bench codec --help)")]
    public void A_wrong_command_line_is_one_line_and_code_2(string arguments, string line)
    {
        Outcome outcome = Ecolora.Run(arguments.Split(' ', StringSplitOptions.RemoveEmptyEntries));
        Assert.Equal(new Outcome(ExitCodes.Usage, "", line + "\n"), outcome);
    }

    [Fact]
    public void The_options_are_a_run_file_with_every_default()
    {
        string text = Ecolora.Succeed("options");
        File.WriteAllText(_folder["all.yaml"], text);
        File.WriteAllText(_folder["few.yaml"], "name: my-run\nmodel: base\ndata:\n  files: [tasks.jsonl]\n");
        Assert.Equal(RunFile.Read(_folder["few.yaml"], []).Values.ToJson().ToJsonString(), RunFile.Read(_folder["all.yaml"], []).Values.ToJson().ToJsonString());
        foreach (OptionDefinition option in RunFileOptions.Table.Options) Assert.Matches($"(?m)^(  )?(# )?{option.Key}: ", text);
        Assert.All(text.Split('\n'), line => Assert.InRange(line.Length, 0, 120));
    }

    [Fact]
    public void An_input_that_cannot_be_used_is_one_line_and_code_3()
    {
        File.WriteAllText(_folder["bad.yaml"], "name: x\nexchange:\n  segmets: 3\n");
        File.WriteAllText(_folder["good.yaml"], "name: x\n");
        File.WriteAllText(_folder["empty.jsonl"], "");
        AssertRefused($"{_folder["none.yaml"]}: no such file", "run", _folder["none.yaml"]);
        AssertRefused($"{_folder["bad.yaml"]}:3:3: unknown option 'segmets' in exchange; did you mean 'segments'?", "run", _folder["bad.yaml"]);
        AssertRefused(
            "--set exchange.segments=99: exchange.segments: expected 1 to 10 (federation.participants), so that every segment has a sender, found 99",
            "run", _folder["good.yaml"], "--set", "exchange.segments=99");
        AssertRefused("model: expected the base model's folder (or --model), found none", "run", _folder["good.yaml"], "--out", _folder["out"]);
        AssertRefused("data.files: expected at least one file (or --data), found none", "data", "show", _folder["good.yaml"]);
        AssertRefused($"{_folder["empty.jsonl"]}: expected at least one record, found an empty file", "data", "show", _folder["good.yaml"], "--data",
            _folder["empty.jsonl"]);
        AssertRefused($"{_folder["none.jsonl"]}: no such file", "data", "show", _folder["good.yaml"], "--data", _folder["none.jsonl"]);
        AssertRefused("--model: expected a folder (or a run file), found none", "eval", "--data", _folder["empty.jsonl"]);
        AssertRefused("--data: expected a file (or --choices, or a run file), found none", "eval", "--model", _folder["none"]);
        File.WriteAllText(_folder["bad.csv"], "Which?,a,b,c,d,e\n");
        AssertRefused($"{_folder["bad.csv"]}: line 1, field 'answer': expected A, B, C or D, found 'e'", "eval", "--model", _folder["none"], "--choices",
            _folder["bad.csv"]);
        AssertRefused($"{_folder["none"]}: no such file", "inspect", _folder["none"]);
        AssertRefused($"{_folder["bad.yaml"]}: expected a frame, a ledger, a report or an adapter's folder, found another file", "inspect", _folder["bad.yaml"]);
        AssertRefused($"{_folder.Path}: expected adapter_config.json or report.json in the folder, found neither", "inspect", _folder.Path);
        AssertRefused("broker: expected one of --kafka, --redis and --rabbitmq, found none or several", "ledger", "reconcile", _folder.Path);
        AssertRefused($"{_folder["journal.jsonl"]}: no such file", "ledger", "reconcile", _folder.Path, "--redis", "127.0.0.1:1");
        File.WriteAllText(_folder["journal.jsonl"], "{\"entry\":\"held\",\"isHeld\":true}\n");
        AssertRefused("journal: expected that of a run of services, which begins with its announcement, found another", "ledger", "reconcile", _folder.Path, "--redis", "127.0.0.1:1");
        Assert.False(Directory.Exists(_folder["out"]), "a refused run left a folder");
    }

    [Fact]
    public void Ctrl_C_ends_pretraining_with_code_130_and_leaves_nothing()
    {
        File.WriteAllText(_folder["p.yaml"], SmallModel.File + "  steps: 1000000\n");
        using Process process = Ecolora.Start("pretrain", _folder["p.yaml"], "--out", _folder["base"]);
        while (process.StandardError.ReadLine() is { } line && line != "training the model…") { }
        // A shell that runs the tests in the background lets its children ignore Ctrl-C's signal; the other one means the same.
        foreach (string signal in (string[])["-INT", "-TERM"])
            using (Process kill = Process.Start("kill", [signal, $"{process.Id}"])) kill.WaitForExit();
        string[] rest = process.StandardError.ReadToEnd().Split('\n', StringSplitOptions.RemoveEmptyEntries);
        process.WaitForExit();
        Assert.Equal(ExitCodes.Interrupted, process.ExitCode);
        Assert.Equal("ecolora: interrupted", rest[^1]);
        Assert.Equal([_folder["p.yaml"]], Directory.GetFileSystemEntries(_folder.Path));
    }

    [Fact]
    public void The_launcher_says_in_one_line_that_dotnet_is_missing()
    {
        Directory.CreateDirectory(_folder["tools"]);
        foreach (string tool in (string[])["bash", "dirname", "readlink"]) File.CreateSymbolicLink(_folder["tools/" + tool], InstalledProgram.Find(tool)!);
        File.CreateSymbolicLink(_folder["ecolora"], Path.Combine(Repository.Root, "ecolora"));
        var start = new ProcessStartInfo(InstalledProgram.Find("bash")!, [_folder["ecolora"], "--help"]) { RedirectStandardError = true, WorkingDirectory = "/" };
        start.Environment["PATH"] = _folder["tools"];
        using Process process = Process.Start(start)!;
        string error = process.StandardError.ReadToEnd();
        process.WaitForExit();
        Assert.Equal((1, "ecolora: the .NET SDK 10 is needed and 'dotnet' was not found; get it from https://dotnet.microsoft.com/download\n"),
            (process.ExitCode, error));
    }

    private static void AssertRefused(string line, params string[] arguments) =>
        Assert.Equal(new Outcome(ExitCodes.BadInput, "", $"ecolora: {line}\n"), Ecolora.Run(arguments));
}
