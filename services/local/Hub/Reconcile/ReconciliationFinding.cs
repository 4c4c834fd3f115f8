using System.Globalization;
using System.Text.Json.Nodes;
using EcoLora.Hosting;
using EcoLora.Telemetry;

namespace EcoLora.Local.Hub;

/// <summary>What <c>ecolora ledger reconcile</c> shows.</summary>
/// <param name="Ledger">The comparison; null where the broker keeps no messages.</param>
/// <param name="Counts">The broker's own counts.</param>
internal sealed record ReconciliationFinding(ReconciledLedger? Ledger, IReadOnlyList<BrokerCount> Counts)
{
    /// <summary>How many rows that differ are named.</summary>
    private const int NamedRows = 10;

    /// <summary>Whether nothing differs.</summary>
    public bool Agrees => Ledger is not { Agrees: false } && Counts.All(count => count.Agrees);

    /// <summary>What to say where nothing differs.</summary>
    public string Verdict => Ledger is null
        ? "The broker was given at least the messages that the ledger counts. It keeps none, so bytes were not compared."
        : "The ledger is what lies on the broker, to the byte, and the broker's own counts are what was read.";

    /// <summary>What differs, in words.</summary>
    public IEnumerable<string> Faults
    {
        get
        {
            if (Ledger is { IsOfJournal: false }) yield return "ledger.csv: expected the ledger that journal.jsonl makes, found another";
            foreach (ReconciledTopic topic in (Ledger?.Topics ?? []).Where(topic => topic.Missing.Messages > 0))
                yield return $"{topic.Topic}: {topic.Missing.Messages} messages that the ledger counts, of {topic.Missing.Bytes} bytes, are not on the broker (any more)";
            foreach (LedgerDifference row in (Ledger?.Differences ?? []).Take(NamedRows))
                yield return $"round {row.Round}, {LedgerCsv.Name(row.Direction)}, {row.Client}{(row.Segment < 0 ? "" : $", segment {row.Segment}")}: {row.Ledger} bytes by the ledger, {row.Broker} by the broker";
            if (Ledger?.Differences.Count > NamedRows) yield return $"and {Ledger.Differences.Count - NamedRows} more rows";
            foreach (BrokerCount count in Counts.Where(count => !count.Agrees))
                yield return $"{count.Topic}: {count.Counter} is {count.Broker}, expected {(Ledger is null ? "at least " : "")}{count.Here}";
        }
    }

    /// <summary>The same for people.</summary>
    public IEnumerable<ResultTable> Tables
    {
        get
        {
            string[] bytes = ["messages", "content", "signatures", "parts", "key", "headers"];
            if (Ledger is { } ledger)
            {
                yield return new ResultTable($"{ledger.Run}: messages that the ledger counts, as they lie on the broker; content and signatures are in the ledger, the rest is envelope", ["topic", .. bytes],
                    [.. ledger.Topics.Select(topic => Row(topic.Topic, topic.Found))]);
                if (ledger.Aside.Count > 0)
                    yield return new ResultTable("Messages that it does not count", ["topic, what", .. bytes], [.. ledger.Aside.Select(aside => Row($"{aside.Topic}, {aside.Kind}", aside.Tally))]);
            }
            yield return new ResultTable("The broker's own counts", ["topic", "counter", "broker", Ledger is null ? "at least" : "read"],
                [.. Counts.Select(count => (IReadOnlyList<string>)[count.Topic, count.Counter, Text(count.Broker), Text(count.Here)])]);
        }
    }

    /// <summary>The same for programs.</summary>
    public JsonObject ToJson() => new()
    {
        ["agrees"] = Agrees,
        ["run"] = Ledger?.Run,
        ["faults"] = new JsonArray([.. Faults.Select(fault => (JsonNode)fault)]),
        ["topics"] = Ledger is null ? null : new JsonArray([.. Ledger.Topics.Select(topic => Json(topic.Found, ("topic", topic.Topic)))]),
        ["notInLedger"] = Ledger is null ? null : new JsonArray([.. Ledger.Aside.Select(aside => Json(aside.Tally, ("topic", aside.Topic), ("what", aside.Kind)))]),
        ["heartbeatBytes"] = Ledger?.Heartbeats,
        ["counts"] = new JsonArray([.. Counts.Select(count => new JsonObject { ["topic"] = count.Topic, ["counter"] = count.Counter, ["broker"] = count.Broker, ["here"] = count.Here })]),
    };

    private static IReadOnlyList<string> Row(string name, MessageTally tally) =>
        [name, Text(tally.Messages), Text(tally.Content), Text(tally.Signatures), Text(tally.Parts), Text(tally.Keys), Text(tally.Headers)];

    private static JsonObject Json(MessageTally tally, params (string Name, string Value)[] names)
    {
        var json = new JsonObject(names.Select(name => KeyValuePair.Create(name.Name, (JsonNode?)name.Value)));
        foreach ((string name, long value) in new[]
        {
            ("messages", tally.Messages), ("contentBytes", tally.Content), ("signatureBytes", tally.Signatures), ("partBytes", tally.Parts), ("keyBytes", tally.Keys), ("headerBytes", tally.Headers),
        }) json[name] = value;
        return json;
    }

    private static string Text(long number) => number.ToString(CultureInfo.InvariantCulture);
}
