using EcoLora.Numerics;

namespace EcoLora.Local.Bench;

/// <summary>What to measure.</summary>
/// <param name="Data">Names of synthetic data, or folders of kept updates.</param>
/// <param name="Densities">Kept fractions.</param>
/// <param name="Entries">Entries of synthetic data, and most entries of a folder.</param>
/// <param name="Codecs">Names out of <see cref="CodecBench.Names"/>.</param>
/// <param name="Path">Code path of this project's codec.</param>
/// <param name="Seconds">Time for each row of a fast codec; each has at least three rounds.</param>
internal sealed record CodecBenchOptions(
    IReadOnlyList<string> Data, IReadOnlyList<double> Densities, int Entries, IReadOnlyList<string> Codecs, SimdPath Path, double Seconds);

/// <summary>
/// Compares codecs in size and speed on the same data in the same run, on one thread. Every codec that is timed must decode to the same bits.
/// </summary>
internal sealed class CodecBench : IDisposable
{
    /// <summary>Entries of the slice that slow codecs work on.</summary>
    public const int SliceEntries = 1 << 21;

    private const string Bound = "bound", BoundClasses = "bound-classes", SliceSuffix = "-slice";
    private const int WarmEntries = 1 << 16, FastRounds = 3, SlowRounds = 1;

    private readonly CodecBenchOptions _options;
    private readonly TextWriter _progress;
    private readonly ZstdLibrary _zstd = new();
    private readonly LzmaLibrary _lzma = new();
    private readonly CopyReference _copy = new();
    private readonly List<BenchRow> _rows = [];
    private readonly List<KernelRow> _kernels = [];
    private readonly HashSet<string> _warm = [];
    private readonly Peer[] _peers;

    private CodecBench(CodecBenchOptions options, TextWriter progress)
    {
        (_options, _progress) = (options, progress);
        _peers = [.. PeerList.Of(_zstd, _lzma, options.Path).Where(peer => options.Codecs.Contains(peer.Name))];
    }

    /// <summary>Every codec and bound, in the order of the rows.</summary>
    public static IReadOnlyList<string> Names { get; } =
        [.. PeerList.Of(new ZstdLibrary(), new LzmaLibrary(), SimdPath.Fastest).Select(peer => peer.Name), Bound, BoundClasses];

    /// <summary>Measures everything.</summary>
    /// <param name="options">What to measure.</param>
    /// <param name="progress">Gets a line for each data set and density.</param>
    /// <param name="cancellation">Ends it between two rows.</param>
    /// <exception cref="FormatException">A folder is not one of kept updates.</exception>
    /// <exception cref="InvalidOperationException">A codec decoded to other bits.</exception>
    public static BenchReport Run(CodecBenchOptions options, TextWriter progress, CancellationToken cancellation)
    {
        using var bench = new CodecBench(options, progress);
        for (int i = 0; i < options.Data.Count; i++) bench.MeasureData(options.Data[i], withKernels: i == 0, cancellation);
        double? gbS = double.IsFinite(bench._copy.Best) ? 1e-9 * CopyReference.Bytes / bench._copy.Best : null;
        return new BenchReport(BenchMachine.Of(PeerList.WordOf(options.Path), bench._zstd, bench._lzma, gbS), bench._rows, bench._kernels);
    }

    /// <summary>The data that a slice was taken from.</summary>
    public static string WithoutSlice(string data) => data.EndsWith(SliceSuffix, StringComparison.Ordinal) ? data[..^SliceSuffix.Length] : data;

    /// <inheritdoc/>
    public void Dispose() => _copy.Dispose();

    private void MeasureData(string data, bool withKernels, CancellationToken cancellation)
    {
        bool isSynthetic = SyntheticUpdate.Names.Contains(data);
        DenseUpdate dense = isSynthetic ? SyntheticUpdate.Make(data, _options.Entries) : RealUpdate.Read(data, _options.Entries);
        foreach (double density in _options.Densities)
        {
            _progress.WriteLine(FormattableString.Invariant($"{dense.Name}, {dense.Values.Length} entries, density {density}…"));
            using var whole = SparseUpdate.Of(dense, density);
            using SparseUpdate slice = whole.Slice(SliceEntries);
            foreach (Peer peer in _peers)
            {
                cancellation.ThrowIfCancellationRequested();
                _rows.Add(Measure(peer, peer.IsSlow ? slice : whole, dense.Name));
                if (peer.Name == PeerList.Own && slice.Entries < whole.Entries) _rows.Add(Measure(peer, slice, dense.Name + SliceSuffix));
            }
            if (_options.Codecs.Contains(Bound)) _rows.Add(BoundRow(Bound, whole, EntropyBound.Of(whole)));
            // Independent entries of one distribution have one class.
            if (_options.Codecs.Contains(BoundClasses) && data != "gaussian") _rows.Add(BoundRow(BoundClasses, whole, EntropyBound.OfClasses(whole)));
            if (withKernels && _peers.Any(peer => peer.Name == PeerList.Own && peer.Absent is null))
                _kernels.AddRange(KernelBench.Measure(dense, whole, _copy, _options.Seconds, _options.Path));
        }
    }

    private static BenchRow BoundRow(string name, SparseUpdate update, double bits) =>
        new(name, update.Data, update.Density, update.Entries, update.Kept) { BitsPerKept = update.Kept == 0 ? null : bits };

    private BenchRow Measure(Peer peer, SparseUpdate update, string data)
    {
        var row = new BenchRow(peer.Name, data, update.Density, update.Entries, update.Kept) { Absent = peer.Absent, Note = peer.Note };
        if (peer.Absent is not null) return row;
        if (!peer.IsSlow && _warm.Add(peer.Name)) Warm(peer, update);
        using Coding coding = peer.Open(update);
        int bytes = 0;
        Timing timing = Timing.Measure(
            _copy, peer.IsSlow ? 0 : _options.Seconds, peer.IsSlow ? SlowRounds : FastRounds, () => bytes = coding.Encode(), coding.Decode);
        if (!coding.IsExact()) throw new InvalidOperationException($"{peer.Name} decoded {data} at density {update.Density} to other bits");
        double gigabytes = 1e-9 * sizeof(ushort) * update.Entries;
        return row with
        {
            Bytes = bytes,
            BitsPerKept = update.Kept == 0 ? null : 8.0 * bytes / update.Kept,
            EncodeGbS = gigabytes / timing.Seconds[0],
            DecodeGbS = gigabytes / timing.Seconds[1],
            CopyGbS = 1e-9 * CopyReference.Bytes / timing.Copy,
            Allocated = timing.Allocated,
        };
    }

    private static void Warm(Peer peer, SparseUpdate update)
    {
        using SparseUpdate little = update.Slice(WarmEntries);
        using Coding coding = peer.Open(little);
        Timing.Warm(() =>
        {
            coding.Encode();
            coding.Decode();
        });
    }
}
