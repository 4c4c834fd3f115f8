namespace EcoLora.Federation;

/// <summary>What is known of one round, as far as it has come.</summary>
public sealed class RoundRecord
{
    internal RoundRecord(RoundOpened opened) => Opened = opened;

    /// <summary>The decision that opened it, the last one where participants were added.</summary>
    public RoundOpened Opened { get; private set; }

    /// <summary>t.</summary>
    public int Round => Opened.Round;

    /// <summary>Reports by client, in ascending order; with a deadline also those after the close.</summary>
    public SortedDictionary<int, ClientReport> Clients { get; } = [];

    /// <summary>Frames that came while the round was open, by client, in ascending order: stored, or refused.</summary>
    public SortedDictionary<int, SegmentReceived> Segments { get; } = [];

    /// <summary>Frames that came after the close, by client: their bytes were sent, their change is in the senders' residuals.</summary>
    public SortedDictionary<int, SegmentReceived> LateSegments { get; } = [];

    /// <summary>Participants for whom the round was over before they began.</summary>
    public SortedSet<int> Missed { get; } = [];

    /// <summary>True when the round's time is over.</summary>
    public bool IsOverdue { get; internal set; }

    /// <summary>The decision that closed it, when it is closed.</summary>
    public RoundClosed? Closed { get; internal set; }

    /// <summary>The published change, when there is one.</summary>
    public RoundAggregated? Aggregated { get; internal set; }

    /// <summary>Sites that hold the new version, in ascending order.</summary>
    public SortedDictionary<int, SiteUpdated> Sites { get; } = [];

    /// <summary>
    /// L_t: the sample-weighted mean of the losses that the participants measured, summed in slot order; null when every update was refused. Of a closed round
    /// those count whose frames were accepted.
    /// </summary>
    public double? Loss
    {
        get
        {
            double sum = 0;
            long samples = 0;
            foreach (Participant participant in Opened.Participants)
            {
                if (Closed is not null && !IsAccepted(participant.Client)) continue;
                if (!Clients.TryGetValue(participant.Client, out ClientReport? report) || report.Loss is not { } loss) continue;
                sum += loss * report.Samples;
                samples += report.Samples;
            }
            return samples == 0 ? null : sum / samples;
        }
    }

    /// <summary>True when every participant has its frame stored, or its update refused by its trainer or by the aggregator.</summary>
    public bool IsAnswered => Opened.Participants.All(participant => IsAnsweredBy(participant.Client));

    /// <summary>True when a participant has its frame stored, or its update refused by its trainer or by the aggregator.</summary>
    public bool IsAnsweredBy(int client) => Clients.TryGetValue(client, out ClientReport? report) && (report.Refused is not null || Segments.ContainsKey(client));

    /// <summary>Why there is no update of a participant: its trainer's reason or the aggregator's; null when there is one, or none yet.</summary>
    public string? RefusalOf(int client) => Clients.GetValueOrDefault(client)?.Refused ?? Segments.GetValueOrDefault(client)?.Refused;

    /// <summary>True when a participant's frame is in the aggregate of the round, which is closed.</summary>
    public bool IsAccepted(int client) => Closed!.Accepted.Any(accepted => accepted.Client == client);

    /// <summary>Participants of whom nothing is known yet: neither that they have trained nor that they will not.</summary>
    public IEnumerable<int> Unreported => Opened.Participants.Select(p => p.Client).Where(client => !Clients.ContainsKey(client) && !Missed.Contains(client));

    /// <summary>More participants: the round's time begins anew.</summary>
    internal void Reinforce(RoundOpened opened) => (Opened, IsOverdue) = (opened, false);

    /// <summary>Bytes of control messages to and from each site, by content: what was sent again counts once.</summary>
    public SortedDictionary<int, ControlBytes> Control { get; } = [];
}

/// <summary>Bytes of control messages of one site in one round.</summary>
/// <param name="Down">To the site's codec and trainer.</param>
/// <param name="Up">From them.</param>
public readonly record struct ControlBytes(long Down, long Up);
