using System.Collections.Concurrent;

namespace EcoLora.Messaging;

/// <summary>Messages that were not taken in, for one reason.</summary>
/// <param name="Reason">The reason: one of a fixed set of words, never words of the sender.</param>
/// <param name="Count">How many.</param>
/// <param name="IsRefused">Whether they were refused: a message then is a dead letter. Else they told nothing new, or came early or late.</param>
/// <param name="About">What the last of them was, and who said it.</param>
/// <param name="Last">When it came.</param>
public sealed record Refusal(string Reason, long Count, bool IsRefused, string About, DateTimeOffset Last);

/// <summary>What a service has not taken in, for its operator: counted by reason, with the last of each.</summary>
/// <param name="clock">The time; null for the machine's.</param>
public sealed class Refusals(TimeProvider? clock = null)
{
    private readonly ConcurrentDictionary<string, Refusal> _byReason = new(StringComparer.Ordinal);
    private readonly TimeProvider _clock = clock ?? TimeProvider.System;

    /// <summary>Is told of the first, tenth, hundredth … message that is dropped for a reason, so that nobody can fill a log with them; or null.</summary>
    public Action<Refusal>? Dropped { get; init; }

    /// <summary>Everything so far, by reason.</summary>
    public IReadOnlyList<Refusal> All => [.. _byReason.Values.OrderBy(refusal => refusal.Reason, StringComparer.Ordinal)];

    /// <summary>How many there were for a reason.</summary>
    public long this[string reason] => _byReason.TryGetValue(reason, out Refusal? refusal) ? refusal.Count : 0;

    /// <summary>Counts a message that is dropped.</summary>
    /// <param name="reason">Why.</param>
    /// <param name="about">What it was: no words of the sender but names that were checked.</param>
    public Verdict Drop(string reason, string about)
    {
        Refusal refusal = Add(reason, about, isRefused: true);
        if (IsPowerOfTen(refusal.Count)) Dropped?.Invoke(refusal);
        return Verdict.Drop;
    }

    /// <summary>Counts a message that told nothing new, or came early or late.</summary>
    /// <param name="reason">Why.</param>
    /// <param name="about">As for <see cref="Drop"/>.</param>
    public void Count(string reason, string about) => Add(reason, about, isRefused: false);

    /// <inheritdoc/>
    public override string ToString() => string.Join(", ", All.Select(refusal => $"{refusal.Reason} {refusal.Count}"));

    private Refusal Add(string reason, string about, bool isRefused) => _byReason.AddOrUpdate(
        reason,
        _ => new Refusal(reason, 1, isRefused, about, _clock.GetUtcNow()),
        (_, before) => before with { Count = before.Count + 1, IsRefused = before.IsRefused || isRefused, About = about, Last = _clock.GetUtcNow() });

    private static bool IsPowerOfTen(long count)
    {
        while (count % 10 == 0) count /= 10;
        return count == 1;
    }
}
