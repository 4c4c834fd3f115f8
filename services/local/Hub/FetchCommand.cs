using System.CommandLine;
using System.Text.Json;
using EcoLora.Formats.Files;
using EcoLora.Hosting;
using EcoLora.Telemetry;

namespace EcoLora.Local.Hub;

/// <summary><c>ecolora fetch</c>: a finished run's adapter with its report, ledger and decision log.</summary>
internal static class FetchCommand
{
    /// <summary>A file is in memory before the folder is made.</summary>
    private const long LargestFile = 1L << 30;

    private static readonly (string Path, string File)[] _files =
        [("/report", "report.json"), ("/report.html", "report.html"), ("/ledger.csv", "ledger.csv"), ("/journal", "journal.jsonl")];

    public static Command Create()
    {
        Argument<string> run = SchedulerClient.Run();
        Option<string?> folder = Arguments.Text("--out", "DIR", "Folder to make. [default: runs/NAME]");
        Option<string> address = SchedulerClient.Address();
        var command = new DocumentedCommand("fetch", "Download a finished run's adapter, report, ledger and decision log from the services.",
            $"The adapter is in adapter/, in PEFT's format; FLoRA's whole change of the base in stacked/. journal.jsonl is what ecolora run --replay follows. The folder appears as a whole or not at all.\n{SchedulerClient.TokenDetails}",
            "ecolora fetch quickstart", "ecolora fetch quickstart --out fetched") { run, folder, address };
        command.SetAction(async (parsed, cancellation) =>
        {
            string name = parsed.GetRequiredValue(run), target = Path.GetFullPath(parsed.GetValue(folder) ?? Path.Combine("runs", name));
            if (Path.Exists(target)) throw new RunFolderRefusedException($"{target} is there already; give another folder with --out");
            using var scheduler = SchedulerClient.Open(parsed.GetRequiredValue(address));
            await FetchAsync(scheduler, name, target, cancellation);
            Console.Out.WriteLine($"adapter, report.html, report.json, ledger.csv and journal.jsonl are in {target}");
            return ExitCodes.Success;
        });
        return command;
    }

    private static async Task FetchAsync(SchedulerClient scheduler, string run, string target, CancellationToken cancellation)
    {
        JsonElement status = await scheduler.ShowAsync(run, cancellation);
        if (status.GetProperty("state").GetString() is var state && state != "finished") throw new ArgumentException($"run {run}: expected a finished one, found it {state}; {(state == "cancelled" ? $"go on with it: ecolora resume {run}" : $"follow it: ecolora watch {run}")}");
        ExportedFile[] exports = JsonSerializer.Deserialize<ExportedFile[]>(await scheduler.DownloadAsync(run, "/exports", cancellation), JsonSerializerOptions.Web)!;
        var contents = new List<(string File, byte[] Content)>();
        foreach ((string path, string file) in _files) contents.Add((file, await scheduler.DownloadAsync(run, path, cancellation)));
        foreach (ExportedFile file in exports)
        {
            // A name from elsewhere never leads out of the folder.
            if (!ExportedFile.IsName(file.Name)) throw new FormatException($"run {run}: expected names of {ExportedFile.NameRule}, found '{file.Name}'");
            if (file.Bytes > LargestFile)
            {
                Console.Error.WriteLine($"{file.Name}: {Quantity.Bytes(file.Bytes)} are more than a fetch brings; it is in the run's folder on the aggregator's volume");
                continue;
            }
            byte[] content = await scheduler.DownloadAsync(run, $"/exports/{file.Name}", cancellation);
            if (content.Length != file.Bytes) throw new FormatException($"{file.Name}: expected {file.Bytes} bytes, found {content.Length}");
            contents.Add((file.Name, content));
        }
        AtomicFile.WriteFolder(target, unfinished =>
        {
            foreach ((string file, byte[] content) in contents)
            {
                string path = Path.Combine(unfinished, file);
                Directory.CreateDirectory(Path.GetDirectoryName(path)!);
                File.WriteAllBytes(path, content);
            }
        });
    }
}
