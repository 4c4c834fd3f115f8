using EcoLora.Codec;
using EcoLora.Federation;

namespace EcoLora.Hosting;

/// <summary>What a finished run's journal says lay on the broker: each message that the ledger counts, by topic and by the digest of its content.</summary>
internal sealed class JournalledMessages
{
    private readonly IReadOnlyList<JournalEntry> _entries;
    private readonly Dictionary<(string Topic, string Digest), int> _expected = [];
    private readonly Dictionary<int, string> _changes = [];

    /// <summary>Reads a journal.</summary>
    /// <exception cref="FormatException">It is not that of a finished run of services.</exception>
    public JournalledMessages(IReadOnlyList<JournalEntry> entries)
    {
        if (entries.OfType<Decided>().FirstOrDefault()?.Message is not RunAnnounced announced) throw new FormatException("journal: expected that of a run of services, which begins with its announcement, found another");
        if (!entries.OfType<Decided>().Any(decided => decided.Message is RunFinished)) throw new FormatException($"journal: expected a finished run, found that {announced.Run} is not");
        (_entries, Announced) = (entries, announced);
        Overhead = entries.OfType<Decided>().Select(decided => decided.Message).OfType<RunOpened>().First().Plan.Overhead;
        foreach (JournalEntry entry in entries) Expect(entry);
    }

    /// <summary>The run.</summary>
    public RunAnnounced Announced { get; }

    /// <summary>Bytes that every message has besides itself.</summary>
    public int Overhead { get; }

    /// <summary>Bytes of content by topic and digest.</summary>
    public IReadOnlyDictionary<(string Topic, string Digest), int> Expected => _expected;

    /// <summary>Bytes of the heartbeats that the journal has counted, signatures included.</summary>
    public long Heartbeats => _entries.OfType<PresenceChanged>().Sum(presence => presence.Heartbeats.Values.Sum());

    /// <summary>The run's state.</summary>
    public RunState Fold() => Fold(_entries);

    /// <summary>The run's state, had every message had the size that it has on the broker.</summary>
    /// <param name="sizeOf">Bytes of content by topic and digest.</param>
    public RunState Fold(Func<(string Topic, string Digest), int> sizeOf) => Fold(_entries.Select(entry => Resized(entry, sizeOf)));

    private RunState Fold(IEnumerable<JournalEntry> entries)
    {
        RunHistory history = AnnouncedOptions.HistoryOf(Announced.Run, Announced.Options, Overhead);
        foreach (JournalEntry entry in entries) history.Apply(entry);
        return history.Run!;
    }

    private JournalEntry Resized(JournalEntry entry, Func<(string, string), int> sizeOf) => entry switch
    {
        Decided decided => decided with { Bytes = sizeOf((Topics.Rounds, DigestOf(decided))) },
        Heard heard => new Heard(heard.Report switch
        {
            SegmentReceived segment => segment with { Sizes = segment.Sizes with { Framed = sizeOf((Topics.Segments, segment.Digest)) } },
            RoundAggregated change => change with { Sizes = change.Sizes with { Framed = sizeOf((Topics.Global, change.Digest)) } },
            SiteUpdated site => site with { Bytes = sizeOf((Topics.Global, _changes[site.Version - 1])) },
            ReportMessage other => other,
        }, IsOfHub(heard.Report) ? heard.Bytes : sizeOf((Topics.Reports, DigestOf(heard)))),
        _ => entry,
    };

    private void Expect(JournalEntry entry)
    {
        if (entry is Decided decided) _expected[(Topics.Rounds, DigestOf(decided))] = decided.Bytes;
        if (entry is not Heard heard) return;
        if (!IsOfHub(heard.Report)) _expected[(Topics.Reports, DigestOf(heard))] = heard.Bytes;
        if (heard.Report is SegmentReceived segment) _expected[(Topics.Segments, segment.Digest)] = (int)segment.Sizes.Framed;
        if (heard.Report is not RoundAggregated change) return;
        _expected[(Topics.Global, change.Digest)] = (int)change.Sizes.Framed;
        _changes[change.Round] = change.Digest;
    }

    /// <summary>What aggregator and scheduler say to each other crosses no site's link, so the ledger does not have it.</summary>
    private static bool IsOfHub(ReportMessage report) => report is not TrainerEnrolled && RunState.SiteOf(report) is null;

    private static string DigestOf(Decided decided) => Frame.DigestOf(ProtocolJson.Write(decided.Message));

    private static string DigestOf(Heard heard) => Frame.DigestOf(ProtocolJson.Write(heard.Report));
}
