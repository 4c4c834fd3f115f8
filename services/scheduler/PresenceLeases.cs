using EcoLora.Federation;

namespace EcoLora.Services.Scheduler;

/// <summary>
/// Which trainers of a run with a deadline have been heard of lately. In memory only: what counts is what the journal says of it, and a scheduler that comes back
/// gives everybody <see cref="Grace"/> to be heard of again.
/// </summary>
/// <param name="clock">The time.</param>
internal sealed class PresenceLeases(TimeProvider clock)
{
    /// <summary>Longest lease that a trainer may ask for.</summary>
    public const int LongestSeconds = 3600;

    /// <summary>How long a trainer counts as present that has not been heard of here.</summary>
    public static readonly TimeSpan Grace = TimeSpan.FromSeconds(60);

    private readonly Dictionary<string, (long Since, TimeSpan Lease)> _leases = new(StringComparer.Ordinal);
    private SortedDictionary<string, long> _bytes = new(StringComparer.Ordinal);

    /// <summary>Bytes of heartbeats, by site, that no journal entry has counted.</summary>
    public IReadOnlyDictionary<string, long> Bytes => _bytes;

    /// <summary>Takes a heartbeat in.</summary>
    public void Hear(TrainerPresent report, int bytes)
    {
        _leases[RosterState.TrainerName(report.Site, report.Trainer)] = (clock.GetTimestamp(), TimeSpan.FromSeconds(report.Seconds));
        _bytes[report.Site] = _bytes.GetValueOrDefault(report.Site) + bytes;
    }

    /// <summary>Those whose lease is over.</summary>
    /// <param name="present">Trainers that count as present; one without a lease gets one.</param>
    public IReadOnlyList<string> Expired(IEnumerable<string> present)
    {
        var expired = new List<string>();
        foreach (string trainer in present)
        {
            if (!_leases.TryGetValue(trainer, out (long Since, TimeSpan Lease) lease)) _leases[trainer] = (clock.GetTimestamp(), Grace);
            else if (clock.GetElapsedTime(lease.Since) >= lease.Lease) expired.Add(trainer);
        }
        return expired;
    }

    /// <summary>Forgets bytes that an entry has counted.</summary>
    public void Counted() => _bytes = new SortedDictionary<string, long>(StringComparer.Ordinal);
}
