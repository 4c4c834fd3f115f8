using System.Diagnostics;
using EcoLora.Codec;
using EcoLora.Numerics;

namespace EcoLora.Local.Bench;

/// <summary>What a fuzz run does.</summary>
/// <param name="Bytes">Mutated bytes to reach on each path.</param>
/// <param name="Seed">Seed of all choices.</param>
/// <param name="Threads">Number of threads; each has its own choices.</param>
/// <param name="Folder">Folder for the frames of findings, and of those that are being read.</param>
internal sealed record FuzzOptions(long Bytes, ulong Seed, int Threads, string Folder)
{
    /// <summary>Ends the run earlier, or null.</summary>
    public TimeSpan? Limit { get; init; }

    /// <summary>How long the calls on one frame may take on one path.</summary>
    public TimeSpan Patience { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>Makes what reads the frames, one for each thread.</summary>
    public Func<IFrameJudge> Judge { get; init; } = () => new FrameJudge();
}

/// <summary>
/// Reads mutated frames on every code path until so many bytes were mutated. Anything but one verdict from all paths, a refusal or finite values, within bounds
/// of memory and time, is a finding.
/// </summary>
internal static class FuzzRun
{
    private const int PollMilliseconds = 100;

    private static readonly TimeSpan _progressEvery = TimeSpan.FromSeconds(5);

    /// <summary>Every code path, and whether this machine has it.</summary>
    public static IReadOnlyList<(SimdPath Path, bool IsHere)> Paths { get; } =
        [.. Enum.GetValues<SimdPath>().Where(path => path != SimdPath.Fastest).Select(path => (path, CodecPath.Resolve(path) == path))];

    /// <summary>Runs.</summary>
    /// <param name="options">What to do.</param>
    /// <param name="progress">Gets a line every few seconds, and each finding.</param>
    /// <param name="cancellation">Ends it between two frames.</param>
    public static FuzzReport Run(FuzzOptions options, TextWriter progress, CancellationToken cancellation)
    {
        bool isNew = !Directory.Exists(options.Folder);
        Directory.CreateDirectory(options.Folder);
        SimdPath[] paths = [.. Paths.Where(path => path.IsHere).Select(path => path.Path)];
        foreach ((SimdPath path, bool isHere) in Paths)
            if (!isHere) progress.WriteLine($"{path}: this machine lacks it, so it is not read on");
        var findings = new FindingFolder(options.Folder, progress);
        FillPools(options.Threads);
        IReadOnlyList<BaseFrame> written = WrittenFrames.Make(options.Seed);
        FuzzWorker[] workers = [.. Enumerable.Range(0, options.Threads).Select(number => new FuzzWorker(options, paths, written, number, findings))];
        var clock = Stopwatch.StartNew();
        foreach (FuzzWorker worker in workers) worker.Start();
        FuzzWorker[] hung = Wait(options, workers, clock, findings, progress, cancellation);
        foreach (FuzzWorker worker in workers.Except(hung))
        {
            if (worker.Failure is { } failure) throw new InvalidOperationException($"the fuzz run itself failed: {failure.Message}", failure);
            worker.Dispose();
        }
        if (isNew && !Directory.EnumerateFileSystemEntries(options.Folder).Any()) Directory.Delete(options.Folder);
        cancellation.ThrowIfCancellationRequested();
        var totals = paths.Select(path => new PathTotals(path)).ToArray();
        var shapes = new VerdictShapes();
        foreach (FuzzWorker worker in workers)
        {
            if (!hung.Contains(worker)) shapes.Add(worker.Shapes);
            for (int path = 0; path < paths.Length; path++) totals[path].Add(worker.Totals[path]);
        }
        return new FuzzReport(options, totals, shapes, findings.All, findings.Count, clock.Elapsed);
    }

    /// <summary>Makes a work area for each thread, which nobody has to make while allocations count.</summary>
    private static void FillPools(int threads)
    {
        DecodeArea[] areas = [.. Enumerable.Range(0, threads).Select(_ => Pool<DecodeArea>.Rent())];
        foreach (DecodeArea area in areas) Pool<DecodeArea>.Return(area);
    }

    /// <summary>Waits for the workers' ends, and watches them meanwhile.</summary>
    /// <returns>Those that hang.</returns>
    private static FuzzWorker[] Wait(FuzzOptions options, FuzzWorker[] workers, Stopwatch clock, FindingFolder findings, TextWriter progress,
        CancellationToken cancellation)
    {
        var hung = new List<FuzzWorker>();
        TimeSpan next = _progressEvery;
        bool stopped = false;
        foreach (FuzzWorker worker in workers)
        {
            while (!hung.Contains(worker) && !worker.Join(PollMilliseconds))
            {
                foreach (FuzzWorker other in workers)
                    if (!hung.Contains(other) && other.ReportOverdue()) hung.Add(other);
                if (!stopped && (cancellation.IsCancellationRequested || hung.Count > 0 || clock.Elapsed > options.Limit))
                {
                    foreach (FuzzWorker other in workers) other.Stop();
                    stopped = true;
                }
                if (clock.Elapsed < next) continue;
                next = clock.Elapsed + _progressEvery;
                double mutated = workers.Sum(other => other.Mutated), seconds = clock.Elapsed.TotalSeconds;
                string bytes = FormattableString.Invariant($"{1e-6 * mutated:f2} of {1e-6 * options.Bytes:f2} million mutated bytes");
                progress.WriteLine(FormattableString.Invariant($"{seconds:f0} s: {bytes}, {mutated / seconds:f0}/s per path, {findings.Count} findings"));
            }
        }
        return [.. hung];
    }
}
