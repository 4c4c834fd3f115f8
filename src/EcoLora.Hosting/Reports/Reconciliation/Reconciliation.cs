using System.Text.Json;
using EcoLora.Codec;
using EcoLora.Federation;
using EcoLora.Messaging;
using EcoLora.Telemetry;

namespace EcoLora.Hosting;

/// <summary>
/// Compares a finished run's ledger with what lies on the broker. The journal says which messages the ledger counts; each of them is looked for by its digest, and the ledger is made
/// once more with the sizes that were found. Whatever else is there of the run was said again (repeats, reminders), or told nothing new.
/// </summary>
/// <param name="journal">The run's journal.</param>
/// <exception cref="FormatException">The journal is not that of a finished run of services.</exception>
public sealed class Reconciliation(IReadOnlyList<JournalEntry> journal)
{
    /// <summary>Where messages are that say nothing of a run, or of another one.</summary>
    public const string Others = "others";

    private const string Repeated = "said again";

    private readonly JournalledMessages _journalled = new(journal);
    private readonly Dictionary<(string Topic, string Digest), FoundMessage> _found = [];
    private readonly Dictionary<(string Topic, string Kind), MessageTally> _aside = [];
    private readonly Dictionary<string, MessageTally> _counted = [];

    /// <summary>Takes a message in, as it lies on the broker.</summary>
    public void Add(StoredMessage message)
    {
        ArgumentNullException.ThrowIfNull(message);
        ReadOnlyMemory<byte> content = message.Payload;
        int signature = SignedMessage.KeyOf(content.Span) is null ? 0 : SignedMessage.HeaderSize;
        content = content[signature..];
        var tally = new MessageTally(1, content.Length, signature, 0, message.KeyBytes, message.HeaderBytes);
        if (MessagePart.IsPart(content.Span)) AddPart(message.Topic, content, tally);
        else if (!IsExpected(message.Topic, Frame.DigestOf(content.Span), out string digest)) SetAside(message.Topic, KindOf(message.Topic, content.Span), tally);
        else if (_found.TryAdd((message.Topic, digest), new FoundMessage(content.Length, signature))) Count(message.Topic, tally);
        else SetAside(message.Topic, Repeated, tally);
    }

    /// <summary>Compares, when all messages were taken in.</summary>
    /// <param name="ledger">The run's ledger.</param>
    public ReconciledLedger Compare(IReadOnlyList<LedgerRow> ledger)
    {
        ArgumentNullException.ThrowIfNull(ledger);
        RunState asJournalled = _journalled.Fold((topic, digest) => _journalled.Expected[(topic, digest)]), asFound = _journalled.Fold(SizeOf);
        IReadOnlyList<LedgerRow> expected = JournalReport.LedgerOf(asJournalled), found = JournalReport.LedgerOf(asFound);
        return new ReconciledLedger(
            _journalled.Announced.Run,
            ledger.Order().SequenceEqual(expected.Order()),
            [.. Differences(ledger, found)],
            [.. Topics.All.Select(topic => new ReconciledTopic(topic, _counted.GetValueOrDefault(topic), Missing(topic)))],
            [.. _aside.OrderBy(each => each.Key.Topic, StringComparer.Ordinal).ThenBy(each => each.Key.Kind, StringComparer.Ordinal).Select(each => new SetAsideMessages(each.Key.Topic, each.Key.Kind, each.Value))],
            _journalled.Heartbeats);
    }

    /// <summary>How many messages of a topic the ledger counts, parts one by one: as many as a broker must have had at least.</summary>
    public long MessagesOf(string topic) => _journalled.Expected.Where(each => each.Key.Topic == topic).Sum(each => (long)PartsOf(each.Value));

    private bool IsExpected(string topic, string ofContent, out string digest) => _journalled.Expected.ContainsKey((topic, digest = ofContent));

    /// <summary>A part names the message that it belongs to by the same digest.</summary>
    private void AddPart(string topic, ReadOnlyMemory<byte> content, MessageTally tally)
    {
        MessagePart part;
        try
        {
            part = MessagePart.Read(content);
        }
        catch (PartException)
        {
            SetAside(topic, Others, tally);
            return;
        }
        if (!IsExpected(topic, part.Message, out string digest) || _journalled.Expected[(topic, digest)] != part.Length)
        {
            SetAside(topic, Others, tally);
            return;
        }
        if (!_found.TryGetValue((topic, digest), out FoundMessage? known)) _found.Add((topic, digest), known = new FoundMessage(0, (int)tally.Signatures));
        bool isFirst = known.Offsets.Count == 0;
        if (!known.Offsets.Add(part.Offset))
        {
            SetAside(topic, Repeated, tally);
            return;
        }
        known.Content += part.Piece.Length;
        Count(topic, tally with { Content = part.Piece.Length, Signatures = isFirst ? tally.Signatures : 0, Parts = MessagePart.HeaderSize + (isFirst ? 0 : tally.Signatures) });
    }

    private void Count(string topic, MessageTally tally) => _counted[topic] = _counted.GetValueOrDefault(topic) + tally;

    private void SetAside(string topic, string kind, MessageTally tally) => _aside[(topic, kind)] = _aside.GetValueOrDefault((topic, kind)) + tally;

    /// <summary>What a message that the ledger does not count is, by its own words.</summary>
    private string KindOf(string topic, ReadOnlySpan<byte> content)
    {
        try
        {
            string run = _journalled.Announced.Run;
            bool isOurs = topic switch
            {
                Topics.Rounds => ProtocolJson.ReadRound(content).Run == run,
                Topics.Reports => ProtocolJson.ReadReport(content).Run == run,
                _ => Frame.ReadHeader(content).RunKey == FrameHeader.KeyOf(run),
            };
            if (!isOurs) return Others;
            if (topic is not (Topics.Rounds or Topics.Reports)) return "another frame";
            var json = new Utf8JsonReader(content);
            return JsonElement.ParseValue(ref json).GetProperty("type").GetString()!;
        }
        catch (FormatException)
        {
            return Others;
        }
    }

    /// <summary>Bytes of a message without what every message has besides itself; 0 for one that is not there as a whole.</summary>
    private int SizeOf(string topic, string digest) =>
        _found.TryGetValue((topic, digest), out FoundMessage? found) && IsWhole(topic, digest, found) ? found.Content + found.Signature - _journalled.Overhead : -_journalled.Overhead;

    private MissingMessages Missing(string topic)
    {
        var missing = _journalled.Expected.Where(each => each.Key.Topic == topic && !(_found.TryGetValue(each.Key, out FoundMessage? found) && IsWhole(topic, each.Key.Digest, found))).ToList();
        return new MissingMessages(missing.Count, missing.Sum(each => (long)each.Value + _journalled.Overhead));
    }

    private bool IsWhole(string topic, string digest, FoundMessage found) => found.Offsets.Count == 0 || found.Content == _journalled.Expected[(topic, digest)];

    private static int PartsOf(int bytes) => bytes <= MessagePart.WholeSize ? 1 : (bytes + MessagePart.PieceSize - 1) / MessagePart.PieceSize;

    private static IEnumerable<LedgerDifference> Differences(IReadOnlyList<LedgerRow> ledger, IReadOnlyList<LedgerRow> found)
    {
        // Rows with the same key compare equal.
        var all = new SortedDictionary<LedgerRow, (long Ledger, long Broker)>();
        foreach (LedgerRow row in ledger) all[row] = (row.Framed, 0);
        foreach (LedgerRow row in found) all[row] = (all.GetValueOrDefault(row).Ledger, row.Framed);
        return all.Where(each => each.Value.Ledger != each.Value.Broker)
            .Select(each => new LedgerDifference(each.Key.Round, each.Key.Client, each.Key.Direction, each.Key.Segment, each.Value.Ledger, each.Value.Broker));
    }

    private sealed class FoundMessage(int content, int signature)
    {
        public int Content { get; set; } = content;

        public int Signature { get; } = signature;

        /// <summary>Where the parts lie that are here; none for a message that is not in parts.</summary>
        public HashSet<int> Offsets { get; } = [];
    }
}
