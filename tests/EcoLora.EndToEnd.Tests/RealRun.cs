using System.Collections.Concurrent;
using System.Diagnostics;
using System.Text.Json.Nodes;
using EcoLora.TestKit;

namespace EcoLora.EndToEnd.Tests;

/// <summary>Starts <c>ecolora run</c> as a process of its own on the sample model and data, in a size that takes seconds.</summary>
internal static class RealRun
{
    /// <summary>Options of a run with 2.1 million entries: 8.3 MB a dense vector, and frames of several messages.</summary>
    public static readonly string[] Larger =
        ["lora.rank=128", "lora.targets=[q_proj,k_proj,v_proj,o_proj,gate_proj,up_proj,down_proj]", "exchange.segments=1", "training.steps=1", "federation.participants=2"];

    private static readonly ConcurrentDictionary<string, Lazy<Task<SortedDictionary<string, string>>>> _adapters = new();

    private static readonly string Program = Path.Combine(AppContext.BaseDirectory, "ecolora.dll");

    /// <summary>Writes the run file.</summary>
    public static string File(TemporaryFolder folder)
    {
        string samples = Path.Combine(Repository.Root, "samples"), file = folder["small.yaml"];
        System.IO.File.WriteAllText(file, $$"""
            name: small
            seed: 3
            model: {{Path.Combine(samples, "base")}}
            data: { files: {{Path.Combine(samples, "tasks.jsonl")}}, held_out: 40, window: 64 }
            partition: { scheme: dirichlet, alpha: 0.5, minimum: 8 }
            lora: { rank: 4, alpha: 8 }
            training: { steps: 6, batch_size: 4, learning_rate: 0.005 }
            federation: { clients: 8, participants: 4, rounds: 3, sites: 3 }
            exchange: { segments: 2 }
            baselines: [dense-fp16]
            evaluation: { max_new_tokens: 4 }

            """);
        return file;
    }

    /// <summary>The files of the adapter that one process, undisturbed, comes to with these options; computed once for all tests that compare with it.</summary>
    public static Task<SortedDictionary<string, string>> AdapterAsync(params string[] options) =>
        _adapters.GetOrAdd(string.Join(' ', options), _ => new(() => RunForAdapterAsync(options))).Value;

    public static Process Start(params string[] arguments) => Process.Start(new ProcessStartInfo("dotnet", [Program, "run", .. arguments])
    {
        RedirectStandardOutput = true,
        RedirectStandardError = true,
    })!;

    /// <summary>Runs any <c>ecolora</c> command to its end.</summary>
    /// <param name="token">ECOLORA_API_TOKEN, or null.</param>
    /// <param name="arguments">Its arguments.</param>
    public static async Task<(int Code, string Output, string Error)> EcoloraAsync(string? token, params string[] arguments)
    {
        var start = new ProcessStartInfo("dotnet", [Program, .. arguments]) { RedirectStandardOutput = true, RedirectStandardError = true };
        if (token is not null) start.Environment["ECOLORA_API_TOKEN"] = token;
        using Process process = Process.Start(start)!;
        Task<string> output = process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken), error = process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        return (process.ExitCode, await output, await error);
    }

    /// <summary>Runs to the end.</summary>
    /// <returns>Exit code, and what was written to standard error.</returns>
    public static async Task<(int Code, string Error)> RunAsync(params string[] arguments)
    {
        using Process process = Start(arguments);
        Task<string> output = process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken), error = process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        await output;
        return (process.ExitCode, await error);
    }

    /// <summary>Runs to the end and must succeed.</summary>
    public static async Task SucceedAsync(params string[] arguments)
    {
        (int code, string error) = await RunAsync(arguments);
        Assert.True(code == 0, $"exit code {code}: {error}");
    }

    /// <summary>Everything in the folder that must not depend on threads or crashes, by relative path; report.json without its clock.</summary>
    public static SortedDictionary<string, string> Outcome(string folder)
    {
        var outcome = new SortedDictionary<string, string>(StringComparer.Ordinal);
        foreach (string path in Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories))
        {
            string name = Path.GetRelativePath(folder, path);
            if (name.StartsWith("state", StringComparison.Ordinal) || name is ".lock" or "report.html") continue;
            outcome[name] = name == "report.json" ? ReportWithoutClock(path) : Convert.ToHexString(System.Security.Cryptography.SHA256.HashData(System.IO.File.ReadAllBytes(path)));
        }
        return outcome;
    }

    /// <summary>The report.</summary>
    public static JsonObject Report(string folder) => JsonNode.Parse(System.IO.File.ReadAllText(Path.Combine(folder, "report.json")))!.AsObject();

    private static async Task<SortedDictionary<string, string>> RunForAdapterAsync(string[] options)
    {
        using var folder = new TemporaryFolder();
        await SucceedAsync([File(folder), "--out", folder["out"], "--set", "baselines=[]", .. options.SelectMany(option => new[] { "--set", option })]);
        return Hub.HubCluster.AdapterIn(folder["out/adapter"]);
    }

    private static string ReportWithoutClock(string path)
    {
        JsonObject report = JsonNode.Parse(System.IO.File.ReadAllText(path))!.AsObject();
        Assert.True(report.Remove("timing"));
        return report.ToJsonString();
    }
}
