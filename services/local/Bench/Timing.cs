using System.Diagnostics;

namespace EcoLora.Local.Bench;

/// <summary>Copying 64 MiB (33,554,432 binary16 numbers) from one buffer to another: what every speed is compared with.</summary>
internal sealed class CopyReference : IDisposable
{
    /// <summary>Bytes that are copied.</summary>
    public const int Bytes = 1 << 26;

    private const int Copies = 3;

    private readonly AlignedBuffer<byte> _source = new(Bytes), _destination = new(Bytes);

    /// <summary>The best time so far, in seconds.</summary>
    public double Best { get; private set; } = double.PositiveInfinity;

    /// <summary>Copies several times, since a slow codec leaves few moments to copy in.</summary>
    /// <returns>Seconds of the fastest.</returns>
    public double Time()
    {
        double best = double.PositiveInfinity;
        for (int i = 0; i < Copies; i++)
        {
            long start = Stopwatch.GetTimestamp();
            _source.Span.CopyTo(_destination.Span);
            best = Math.Min(best, Stopwatch.GetElapsedTime(start).TotalSeconds);
        }
        Best = Math.Min(Best, best);
        return best;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _source.Free();
        _destination.Free();
    }
}

/// <summary>Best times of work and of the copies between, so that a slow moment of the machine hits both.</summary>
/// <param name="Seconds">Best time of each work, in the order given.</param>
/// <param name="Copy">Best time of the copy.</param>
/// <param name="Allocated">Bytes of managed memory that the last round's works allocated together.</param>
internal sealed record Timing(IReadOnlyList<double> Seconds, double Copy, long Allocated)
{
    private const int WarmPauses = 3, WarmRounds = 40, PauseMilliseconds = 150;

    /// <summary>Repeats (copies, each work) until the time is over; at least so many rounds.</summary>
    public static Timing Measure(CopyReference copy, double seconds, int rounds, params IReadOnlyList<Action> works)
    {
        double[] best = [.. works.Select(_ => double.PositiveInfinity)];
        double bestCopy = double.PositiveInfinity;
        long started = Stopwatch.GetTimestamp(), allocated = 0;
        for (int round = 0; round < rounds || Stopwatch.GetElapsedTime(started).TotalSeconds < seconds; round++)
        {
            bestCopy = Math.Min(bestCopy, copy.Time());
            allocated = 0;
            for (int i = 0; i < works.Count; i++)
            {
                Action work = works[i];
                long before = GC.GetAllocatedBytesForCurrentThread(), start = Stopwatch.GetTimestamp();
                work();
                best[i] = Math.Min(best[i], Stopwatch.GetElapsedTime(start).TotalSeconds);
                allocated += GC.GetAllocatedBytesForCurrentThread() - before;
            }
        }
        return new Timing(best, Math.Min(bestCopy, copy.Time()), allocated);
    }

    /// <summary>Repeats work on little data until the just-in-time compiler has optimised it, which it does in the background.</summary>
    public static void Warm(Action work)
    {
        for (int pause = 0; pause < WarmPauses; pause++)
        {
            for (int i = 0; i < WarmRounds; i++) work();
            Thread.Sleep(PauseMilliseconds);
        }
    }
}
