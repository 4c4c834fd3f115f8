using System.Collections.Concurrent;
using System.Diagnostics;
using System.Runtime.CompilerServices;

namespace EcoLora.DaprSidecar;

/// <summary>What goes wrong on purpose. All rates are probabilities.</summary>
internal sealed record FaultOptions
{
    public int Seed { get; init; }

    public double DelayRate { get; init; }

    public int DelayMilliseconds { get; init; } = 50;

    public double DuplicateRate { get; init; }

    /// <summary>A message is held back until the next one of its topic has been handed on.</summary>
    public double ReorderRate { get; init; }

    /// <summary>A publish is answered with 500 and not stored.</summary>
    public double RefuseRate { get; init; }

    /// <summary>Kills this process before its n-th delivery reaches the app.</summary>
    public int? DieBefore { get; init; }

    /// <summary>Kills this process when the app has answered its n-th delivery, before the broker learns of it.</summary>
    public int? DieAfter { get; init; }
}

/// <summary>
/// Decides each fault from (seed, kind, topic, ordinal): the k-th message of a topic that this process meets gets the same fate in every run,
/// whatever the threads do.
/// </summary>
internal sealed class Faults(FaultOptions options)
{
    private readonly ConcurrentDictionary<string, StrongBox<int>> ordinals = new(StringComparer.Ordinal);
    private int deliveriesBegun;
    private int deliveriesAnswered;

    public bool Refuses(string topic) => Happens(options.RefuseRate, "refuse", topic, Next("publish/" + topic));

    /// <summary>The fate of the next message that the broker hands over.</summary>
    public Fate Read(string topic)
    {
        int ordinal = Next("read/" + topic);
        TimeSpan delay = Happens(options.DelayRate, "delay", topic, ordinal)
            ? TimeSpan.FromMilliseconds(options.DelayMilliseconds * Chance("delay-length", topic, ordinal))
            : TimeSpan.Zero;
        return new(delay, Happens(options.DuplicateRate, "duplicate", topic, ordinal), Happens(options.ReorderRate, "reorder", topic, ordinal));
    }

    public void BeforeDelivery()
    {
        if (Interlocked.Increment(ref deliveriesBegun) == options.DieBefore) Die();
    }

    public void AfterAnswer()
    {
        if (Interlocked.Increment(ref deliveriesAnswered) == options.DieAfter) Die();
    }

    private static void Die()
    {
        // SIGKILL to itself, as a crash: nothing is flushed, acknowledged or closed.
        using var self = Process.GetCurrentProcess();
        self.Kill();
        self.WaitForExit();
    }

    private int Next(string counter) => Interlocked.Increment(ref ordinals.GetOrAdd(counter, _ => new()).Value);

    private bool Happens(double rate, string kind, string topic, int ordinal) => rate > 0 && Chance(kind, topic, ordinal) < rate;

    private double Chance(string kind, string topic, int ordinal)
    {
        ulong hash = 14695981039346656037UL;
        foreach (char c in $"{options.Seed}/{kind}/{topic}/{ordinal}") hash = (hash ^ c) * 1099511628211UL;
        hash ^= hash >> 33;
        hash *= 0xff51afd7ed558ccdUL;
        hash ^= hash >> 33;
        return (hash >> 11) * (1.0 / (1UL << 53));
    }
}

/// <summary>What happens to one message on its way to the app.</summary>
internal readonly record struct Fate(TimeSpan Delay, bool Duplicate, bool Reorder);
