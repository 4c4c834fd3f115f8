using System.Buffers.Binary;
using System.Diagnostics;
using EcoLora.Codec;
using EcoLora.Numerics;

namespace EcoLora.Local.Bench;

/// <summary>One thread of a fuzz run: mutates, reads on every path, compares.</summary>
internal sealed class FuzzWorker : IDisposable
{
    private const int FileHead = 64, UnsealedOf = 50;

    private readonly FuzzOptions _options;
    private readonly IReadOnlyList<BaseFrame> _written;
    private readonly int _number;
    private readonly long _bytes;
    private readonly FindingFolder _findings;
    private readonly RandomStream _random;
    private readonly FrameCorpus _corpus;
    private readonly FrameMutator _mutator;
    private readonly IFrameJudge _judge;
    private readonly GuardedMemory _memory;
    private readonly string _file;
    private readonly MutableFrame _frame = new();
    private readonly Thread _thread;
    private long _since, _mutated, _frames;
    private int _layout, _length, _path;
    private bool _areWarm;
    private volatile bool _stop;
    private volatile bool _isGivenUp;

    /// <summary>Makes the worker.</summary>
    /// <param name="options">What to do.</param>
    /// <param name="paths">Code paths of this machine, the reference first.</param>
    /// <param name="written">Frames of the writer.</param>
    /// <param name="number">Its number.</param>
    /// <param name="findings">Gets what must not be.</param>
    public FuzzWorker(FuzzOptions options, IReadOnlyList<SimdPath> paths, IReadOnlyList<BaseFrame> written, int number, FindingFolder findings)
    {
        (_options, _written, _number, _findings) = (options, written, number, findings);
        _bytes = options.Bytes / options.Threads + (number < options.Bytes % options.Threads ? 1 : 0);
        _random = new RandomStream(options.Seed, "fuzz", number);
        _corpus = new FrameCorpus(written, _random);
        _mutator = new FrameMutator(_random);
        _judge = options.Judge();
        _file = System.IO.Path.Combine(options.Folder, $"reading-{Environment.ProcessId}-{number}.bin");
        _memory = new GuardedMemory(FileHead + MutableFrame.Capacity, _file);
        Totals = [.. paths.Select(path => new PathTotals(path))];
        _thread = new Thread(Work) { IsBackground = true, Name = $"fuzz {number}" };
    }

    /// <summary>What was read, path by path.</summary>
    public IReadOnlyList<PathTotals> Totals { get; }

    /// <summary>The kinds of verdict that were met.</summary>
    public VerdictShapes Shapes { get; } = new();

    /// <summary>Mutated bytes so far.</summary>
    public long Mutated => Volatile.Read(ref _mutated);

    /// <summary>Why the thread has ended before its time, or null: a defect of the harness.</summary>
    public Exception? Failure { get; private set; }

    /// <summary>Starts the thread.</summary>
    public void Start() => _thread.Start();

    /// <summary>Ends the thread after the frame that it reads.</summary>
    public void Stop() => _stop = true;

    /// <summary>Waits for its end.</summary>
    /// <returns>Whether it has ended.</returns>
    public bool Join(int milliseconds) => _thread.Join(milliseconds);

    /// <summary>Reports the frame that is being read if that takes too long.</summary>
    /// <returns>Whether it does: then the thread cannot be ended.</returns>
    public bool ReportOverdue()
    {
        long since = Volatile.Read(ref _since);
        if (since == 0 || Stopwatch.GetElapsedTime(since) < _options.Patience) return false;
        byte[] frame = _memory.Last(_length).ToArray();
        if (Volatile.Read(ref _since) != since) return false;
        _isGivenUp = true;
        Report("no verdict", Totals[_path].Path, $"expected one within {_options.Patience.TotalSeconds} s", frame);
        return true;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _judge.Dispose();
        _memory.Free();
        File.Delete(_file);
    }

    private void Work()
    {
        try
        {
            foreach (BaseFrame frame in _written) ReadWritten(frame);
            _areWarm = true;
            while (!_stop && _mutated < _bytes) ReadMutated();
        }
        catch (Exception exception)
        {
            Failure = exception;
        }
    }

    /// <summary>Reads a frame as it was written, which also gives work areas their size before allocations count.</summary>
    private void ReadWritten(BaseFrame frame)
    {
        if (_stop) return;
        if (Read(frame.Bytes, frame.Layout, 0) is { Refusal: { } refusal }) Report("a refused valid frame", Totals[0].Path, refusal, frame.Bytes);
    }

    private void ReadMutated()
    {
        BaseFrame start = _corpus.Next();
        _frame.Load(start.Bytes);
        int mutated = _mutator.Mutate(_frame, start.Marks, () => _corpus.Donor(start.Layout));
        if (mutated == 0) return;
        if (_random.NextInt32(UnsealedOf) != 0) _frame.Seal();
        Verdict? verdict = Read(_frame.Bytes, start.Layout, mutated);
        if (verdict is not null && Shapes.Add(verdict, _frame.Bytes)) _corpus.Keep(start.Layout, _frame.Bytes);
        Volatile.Write(ref _mutated, _mutated + mutated);
    }

    /// <summary>Reads a frame on every path, and compares.</summary>
    /// <returns>The verdict of the first path; null when that was none.</returns>
    private Verdict? Read(ReadOnlySpan<byte> frame, int layout, int mutated)
    {
        (_length, _layout, _frames) = (frame.Length, layout, _frames + 1);
        Memory<byte> bytes = _memory.Last(frame.Length);
        frame.CopyTo(bytes.Span);
        // For whoever finds the file of a process that has died.
        BinaryPrimitives.WriteInt32LittleEndian(_memory.GetSpan(), frame.Length);
        BinaryPrimitives.WriteInt32LittleEndian(_memory.GetSpan()[4..], layout);
        Verdict? first = null;
        for (_path = 0; _path < Totals.Count; _path++)
        {
            Verdict? verdict = ReadOn(Totals[_path], bytes, mutated);
            if (_path == 0) first = verdict;
            else if (verdict is not null && first is not null && verdict != first)
                Report("another verdict", Totals[_path].Path, $"expected that of {Totals[0].Path}, {first}, found {verdict}", frame);
        }
        return first;
    }

    private Verdict? ReadOn(PathTotals totals, Memory<byte> bytes, int mutated)
    {
        if (_isGivenUp) return null;
        LoraLayout layout = FuzzLayouts.All[_layout];
        Verdict? verdict = null;
        long before = GC.GetAllocatedBytesForCurrentThread(), start = Stopwatch.GetTimestamp();
        Volatile.Write(ref _since, start);
        try
        {
            verdict = _judge.Judge(bytes, layout, totals.Path);
        }
        catch (ContradictionException exception)
        {
            Report("a contradiction", totals.Path, exception.Message, bytes.Span);
        }
        catch (Exception exception)
        {
            Report(exception.GetType().Name, totals.Path, exception.ToString(), bytes.Span);
        }
        Volatile.Write(ref _since, 0);
        if (_isGivenUp) return null; // Late, when nobody waits any more.
        long ticks = Stopwatch.GetTimestamp() - start, allocated = _areWarm ? GC.GetAllocatedBytesForCurrentThread() - before : 0;
        totals.Add(mutated, bytes.Length, verdict is { IsAccepted: true }, ticks, allocated);
        long bound = AllocationBound(bytes.Length, layout.Length);
        if (verdict is null) return null;
        if (allocated > bound) Report("an allocation", totals.Path, $"expected at most {bound} bytes, found {allocated}", bytes.Span);
        TimeSpan time = Stopwatch.GetElapsedTime(0, ticks);
        if (time > _options.Patience) Report("a late verdict", totals.Path, $"expected within {_options.Patience.TotalSeconds} s, found {time}", bytes.Span);
        return verdict;
    }

    /// <summary>
    /// Most managed bytes that all calls on one frame may take: two indexes of chunks, of 4 bytes for each 4 of the frame; work areas that grow, which hold at
    /// most 16 bytes per entry and an eighth more; and per call an exception, a few small objects, and what work areas are rounded up by.
    /// </summary>
    private static long AllocationBound(int frame, int entries) => (64 << 10) + 2L * frame + 18L * entries;

    private void Report(string kind, SimdPath path, string details, ReadOnlySpan<byte> frame)
    {
        string origin = $"seed {_options.Seed}, thread {_number} of {_options.Threads}, frame {_frames}";
        _findings.Add(new FuzzFinding(kind, path.ToString(), _layout, origin, details), frame);
    }
}
