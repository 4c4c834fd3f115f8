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
    /// <summary>What is said of messages of another run, or of none, and of those that the ledger has counted once.</summary>
    private const string Others = "others", Repeated = "said again";

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
        if (MessagePart.IsPart(content.Span))
        {
            AddPart(message.Topic, content, tally);
            return;
        }
        (string, string) key = (message.Topic, Frame.DigestOf(content.Span));
        if (!_journalled.Expected.ContainsKey(key)) SetAside(message.Topic, KindOf(message.Topic, content.Span), tally);
        else if (_found.TryAdd(key, new FoundMessage(content.Length, signature))) Count(message.Topic, tally);
        else SetAside(message.Topic, Repeated, tally);
    }

    /// <summary>Compares, when all messages were taken in.</summary>
    /// <param name="ledger">The run's ledger.</param>
    public ReconciledLedger Compare(IReadOnlyList<LedgerRow> ledger)
    {
        ArgumentNullException.ThrowIfNull(ledger);
        IReadOnlyList<LedgerRow> expected = JournalReport.LedgerOf(_journalled.Fold()), found = JournalReport.LedgerOf(_journalled.Fold(SizeOf));
        return new ReconciledLedger(
            _journalled.Announced.Run,
            ledger.Order().SequenceEqual(expected.Order()),
            [.. Differences(ledger, found)],
            [.. Topics.All.Select(topic => new ReconciledTopic(topic, _counted.GetValueOrDefault(topic), Missing(topic)))],
            [.. _aside.OrderBy(each => each.Key.Topic, StringComparer.Ordinal).ThenBy(each => each.Key.Kind, StringComparer.Ordinal).Select(each => new SetAsideMessages(each.Key.Topic, each.Key.Kind, each.Value))],
            _journalled.Heartbeats);
    }

    /// <summary>How many messages of a topic the ledger counts, parts one by one: as many as a broker must have had at least.</summary>
    public long MessagesOf(string topic) => _journalled.Expected.Where(each => each.Key.Topic == topic).Sum(each => (long)MessagePart.CountOf(each.Value));

    /// <summary>A part names the message that it belongs to by the same digest.</summary>
    private void AddPart(string topic, ReadOnlyMemory<byte> content, MessageTally tally)
    {
        if (PartOf(content) is not { } part || !_journalled.Expected.TryGetValue((topic, part.Message), out int length) || length != part.Length)
        {
            SetAside(topic, Others, tally);
            return;
        }
        if (!_found.TryGetValue((topic, part.Message), out FoundMessage? known)) _found.Add((topic, part.Message), known = new FoundMessage(0, (int)tally.Signatures));
        bool isFirst = known.Offsets.Count == 0;
        if (!known.Offsets.Add(part.Offset))
        {
            SetAside(topic, Repeated, tally);
            return;
        }
        known.Content += part.Piece.Length;
        Count(topic, tally with { Content = part.Piece.Length, Signatures = isFirst ? tally.Signatures : 0, Parts = MessagePart.HeaderSize + (isFirst ? 0 : tally.Signatures) });
    }

    private static MessagePart? PartOf(ReadOnlyMemory<byte> content)
    {
        try
        {
            return MessagePart.Read(content);
        }
        catch (PartException)
        {
            return null;
        }
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

    /// <summary>Bytes of a message without what every message has besides itself; 0 with it for one that is not there as a whole.</summary>
    private int SizeOf((string Topic, string Digest) key) => (Whole(key) is { } found ? found.Content + found.Signature : 0) - _journalled.Overhead;

    private MissingMessages Missing(string topic)
    {
        int[] missing = [.. _journalled.Expected.Where(each => each.Key.Topic == topic && Whole(each.Key) is null).Select(each => each.Value)];
        return new MissingMessages(missing.Length, missing.Sum(bytes => (long)bytes + _journalled.Overhead));
    }

    /// <summary>A message that was found, with all of its parts; else null.</summary>
    private FoundMessage? Whole((string, string) key) =>
        _found.TryGetValue(key, out FoundMessage? found) && (found.Offsets.Count == 0 || found.Content == _journalled.Expected[key]) ? found : null;

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
