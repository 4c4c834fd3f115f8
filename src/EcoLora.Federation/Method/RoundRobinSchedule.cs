using EcoLora.Numerics;

namespace EcoLora.Federation;

/// <summary>Who takes part in a round, and which segment each uploads (method.md, steps 1 and 4).</summary>
public static class RoundRobinSchedule
{
    /// <summary>
    /// Draws N_t of the clients without replacement, from the run's stream <c>sampling</c> of this round.
    /// </summary>
    /// <param name="seed">The run's seed.</param>
    /// <param name="round">t.</param>
    /// <param name="clients">Those to draw from, in ascending order: all, or with a deadline those that are present.</param>
    /// <param name="participants">N_t, at most as many as there are.</param>
    /// <returns>Client numbers in ascending order; a client's slot is its index here.</returns>
    public static int[] Sample(ulong seed, int round, IEnumerable<int> clients, int participants)
    {
        int[] order = [.. clients];
        new RandomStream(seed, "sampling", round).Shuffle(order.AsSpan());
        int[] sampled = order[..participants];
        Array.Sort(sampled);
        return sampled;
    }

    /// <summary>Segment (slot + t) mod N_s. Slots, not client numbers, so that N_t ≥ N_s covers every segment.</summary>
    public static int SegmentOf(int slot, int round, int segments) => (int)(((long)slot + round) % segments);
}
