using System.CommandLine;

namespace EcoLora.Local.Bench;

/// <summary><c>ecolora bench fuzz</c>: tries the decoder on broken frames.</summary>
internal static class FuzzCommand
{
    private const long DefaultBytes = 100_000_000, DefaultSeed = 1;
    private const string DefaultFolder = "fuzz-findings";

    private const string Details =
        "Valid frames are changed at random, mostly where they have structure, get right checksums (all but 1 in 50), and are read on\n"
        + "every code path as a receiver does: header, head, sizes, values, sums, halves. Findings: another exception than a refusal, two\n"
        + "paths that differ, calls that contradict each other, a value that is not finite, a read that takes more memory than 64 KiB + 2\n"
        + "bytes per byte of the frame + 18 per entry of the layout, or 5 seconds. Their frames are written to files, and the exit code\n"
        + "is 1. Each thread has choices of its own: the same seed, threads and bytes give the same frames.";

    public static Command Create()
    {
        Option<long?> bytes = Arguments.Integer("--bytes", 1, 1_000_000_000_000, $"Mutated bytes to reach on each path. [default: {DefaultBytes}]");
        Option<long?> seed = Arguments.Integer("--seed", 0, long.MaxValue, $"Seed of all choices. [default: {DefaultSeed}]");
        Option<long?> threads = Arguments.Integer("--threads", 1, 256, "Number of threads. [default: one per core]");
        Option<long?> seconds = Arguments.Integer("--seconds", 1, 1_000_000, "Ends the run earlier.");
        Option<string?> @out = Arguments.Text("--out", "DIR", $"Folder for the frames of findings. [default: {DefaultFolder}]");
        Option<bool> json = Arguments.Json("the totals");
        var command = new DocumentedCommand("fuzz", "Try the frame decoder on mutated frames, on all code paths.", Details,
            "ecolora bench fuzz",
            "ecolora bench fuzz --bytes 1000000 --seed 7 --threads 2 --json",
            "ecolora bench fuzz --bytes 1000000000000 --seconds 28800 --out /tmp/findings")
        {
            bytes, seed, threads, seconds, @out, json,
        };
        command.SetAction((parsed, cancellation) => Task.Run(() =>
        {
            var options = new FuzzOptions(
                parsed.GetValue(bytes) ?? DefaultBytes, (ulong)(parsed.GetValue(seed) ?? DefaultSeed),
                (int)(parsed.GetValue(threads) ?? Environment.ProcessorCount), parsed.GetValue(@out) ?? DefaultFolder)
            {
                Limit = parsed.GetValue(seconds) is { } limit ? TimeSpan.FromSeconds(limit) : null,
            };
            FuzzReport report = FuzzRun.Run(options, Console.Error, cancellation);
            ResultTable.Print(parsed.GetValue(json), report.ToJson(), report.ToTables());
            return report.FindingCount == 0 ? ExitCodes.Success : ExitCodes.Failure;
        }, cancellation));
        return command;
    }
}
