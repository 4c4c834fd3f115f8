namespace EcoLora.Federation;

/// <summary>What is known of one round, as far as it has come.</summary>
public sealed class RoundRecord
{
    internal RoundRecord(RoundOpened opened) => Opened = opened;

    /// <summary>The decision that opened it.</summary>
    public RoundOpened Opened { get; }

    /// <summary>t.</summary>
    public int Round => Opened.Round;

    /// <summary>Reports by client, in ascending order.</summary>
    public SortedDictionary<int, ClientReport> Clients { get; } = [];

    /// <summary>Stored frames by client, in ascending order.</summary>
    public SortedDictionary<int, SegmentStored> Segments { get; } = [];

    /// <summary>The decision that closed it, when it is closed.</summary>
    public RoundClosed? Closed { get; internal set; }

    /// <summary>The published change, when there is one.</summary>
    public RoundAggregated? Aggregated { get; internal set; }

    /// <summary>Sites that hold the new version, in ascending order.</summary>
    public SortedDictionary<int, SiteUpdated> Sites { get; } = [];

    /// <summary>
    /// L_t: the sample-weighted mean of the losses that the participants measured, summed in slot order; null when every update was refused.
    /// </summary>
    public double? Loss
    {
        get
        {
            double sum = 0;
            long samples = 0;
            foreach (Participant participant in Opened.Participants)
            {
                if (!Clients.TryGetValue(participant.Client, out ClientReport? report) || report.Loss is not { } loss) continue;
                sum += loss * report.Samples;
                samples += report.Samples;
            }
            return samples == 0 ? null : sum / samples;
        }
    }

    /// <summary>True when every participant has either its frame stored or its update refused.</summary>
    public bool IsAnswered => Opened.Participants.All(participant => IsAnsweredBy(participant.Client));

    /// <summary>True when a participant has its frame stored or its update refused.</summary>
    public bool IsAnsweredBy(int client) => Clients.TryGetValue(client, out ClientReport? report) && (report.Refused is not null || Segments.ContainsKey(client));

    /// <summary>Bytes of control messages to and from each site, by content: what was sent again counts once.</summary>
    public SortedDictionary<int, ControlBytes> Control { get; } = [];
}

/// <summary>Bytes of control messages of one site in one round.</summary>
/// <param name="Down">To the site's codec and trainer.</param>
/// <param name="Up">From them.</param>
public readonly record struct ControlBytes(long Down, long Up);
