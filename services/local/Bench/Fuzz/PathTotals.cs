using System.Diagnostics;
using EcoLora.Numerics;

namespace EcoLora.Local.Bench;

/// <summary>What a code path has read; only one thread adds to it.</summary>
/// <param name="path">The path.</param>
internal sealed class PathTotals(SimdPath path)
{
    /// <summary>The path.</summary>
    public SimdPath Path { get; } = path;

    /// <summary>Frames read.</summary>
    public long Frames { get; private set; }

    /// <summary>Mutated bytes in them.</summary>
    public long Mutated { get; private set; }

    /// <summary>All bytes of them.</summary>
    public long Fed { get; private set; }

    /// <summary>Frames that are valid.</summary>
    public long Accepted { get; private set; }

    /// <summary>Seconds of reading.</summary>
    public double Seconds { get; private set; }

    /// <summary>Most managed bytes that one read has taken.</summary>
    public long LargestAllocation { get; private set; }

    /// <summary>Seconds of the slowest read.</summary>
    public double Slowest { get; private set; }

    /// <summary>Adds a read.</summary>
    public void Add(int mutated, int length, bool accepted, long ticks, long allocated)
    {
        double seconds = (double)ticks / Stopwatch.Frequency;
        Frames++;
        Mutated += mutated;
        Fed += length;
        if (accepted) Accepted++;
        Seconds += seconds;
        LargestAllocation = Math.Max(LargestAllocation, allocated);
        Slowest = Math.Max(Slowest, seconds);
    }

    /// <summary>Adds what another thread has read.</summary>
    public void Add(PathTotals other)
    {
        Frames += other.Frames;
        Mutated += other.Mutated;
        Fed += other.Fed;
        Accepted += other.Accepted;
        Seconds += other.Seconds;
        LargestAllocation = Math.Max(LargestAllocation, other.LargestAllocation);
        Slowest = Math.Max(Slowest, other.Slowest);
    }
}
