using System.CommandLine;
using EcoLora.Federation;
using EcoLora.Hosting;
using EcoLora.Messaging.Kafka;
using EcoLora.Services.Scheduler;
using EcoLora.Telemetry;

namespace EcoLora.Local.Hub;

/// <summary><c>ecolora ledger reconcile</c>: compares a run's ledger with what lies on the broker.</summary>
internal static class LedgerCommand
{
    private static readonly string Details =
        "Reads the topics again and looks for each message that the ledger counts, by its digest; makes the ledger once more with the bytes that lie there, and compares it with\n"
        + "ledger.csv to the byte. What is said again and what told nothing new is shown apart, and so are signatures, headers of parts, keys and headers. The broker's own counts must be\n"
        + "what was read. RabbitMQ keeps nothing that was handled: there only its count of what was published is compared, which may not be below the ledger's.\n"
        + $"The exit code is 5 where something differs. {RedisStreams.PasswordDetails} {RabbitFigures.PasswordDetails} Kafka's security settings are read from {KafkaSettings.Security}.";

    public static Command Create() => new("ledger", "Prove a run's ledger by the broker.") { Reconcile() };

    private static DocumentedCommand Reconcile()
    {
        var folder = new Argument<string>("folder") { Description = "A run's folder, as ecolora fetch makes it.", HelpName = "DIR" };
        Option<string?> kafka = Arguments.Text("--kafka", "HOST:PORT", "Kafka's brokers, several with commas between.");
        Option<string?> redis = Arguments.Text("--redis", "HOST:PORT", "The Redis that the topics are on.");
        Option<string?> rabbit = Arguments.Text("--rabbitmq", "URL", "RabbitMQ's management plugin, as http://user@host:15672.");
        Option<bool> json = Arguments.Json("what was found");
        var command = new DocumentedCommand("reconcile", "Compare a run's ledger with what lies on the broker.", Details,
            "ecolora ledger reconcile runs/quickstart --redis localhost:6379", "ecolora ledger reconcile runs/quickstart --kafka localhost:9092 --json") { folder, kafka, redis, rabbit, json };
        command.SetAction(async (parsed, cancellation) =>
        {
            string run = parsed.GetRequiredValue(folder);
            string?[] brokers = [parsed.GetValue(kafka), parsed.GetValue(redis), parsed.GetValue(rabbit)];
            if (brokers.Count(broker => broker is not null) != 1) throw new ArgumentException("broker: expected one of --kafka, --redis and --rabbitmq, found none or several");
            var reconciliation = new Reconciliation(Journal.Read(Path.Combine(run, "journal.jsonl")));
            IReadOnlyList<LedgerRow> ledger;
            await using (FileStream file = File.OpenRead(Path.Combine(run, "ledger.csv"))) ledger = LedgerCsv.Read(file, file.Name);
            ReconciliationFinding finding = brokers switch
            {
                [{ } kafkaAt, _, _] => OnKafka(reconciliation, ledger, kafkaAt),
                [_, { } redisAt, _] => OnRedis(reconciliation, ledger, redisAt),
                _ => new ReconciliationFinding(null, await OnRabbitAsync(reconciliation, brokers[2]!, cancellation)),
            };
            ResultTable.Print(parsed.GetValue(json), finding.ToJson(), finding.Tables);
            foreach (string fault in finding.Faults) Console.Error.WriteLine($"ecolora: {fault}");
            if (!parsed.GetValue(json) && finding.Agrees) Console.Out.WriteLine(finding.Verdict);
            return finding.Agrees ? ExitCodes.Success : ExitCodes.CheckFailed;
        });
        return command;
    }

    private static ReconciliationFinding OnKafka(Reconciliation reconciliation, IReadOnlyList<LedgerRow> ledger, string brokers)
    {
        using KafkaTopics topics = TopicsCommand.Open(brokers);
        return Read(reconciliation, ledger, (topic, take) =>
        {
            (long offsets, long read) = topics.Read(topic, take);
            return new BrokerCount(topic, "offsets", offsets, read, offsets == read);
        });
    }

    private static ReconciliationFinding OnRedis(Reconciliation reconciliation, IReadOnlyList<LedgerRow> ledger, string server)
    {
        using var streams = RedisStreams.Open(server);
        return Read(reconciliation, ledger, streams.Read);
    }

    private static async Task<IReadOnlyList<BrokerCount>> OnRabbitAsync(Reconciliation reconciliation, string address, CancellationToken cancellation)
    {
        using var figures = RabbitFigures.Open(address);
        var counts = new List<BrokerCount>();
        foreach (string topic in Topics.All) counts.Add(await figures.CountAsync(topic, reconciliation.MessagesOf(topic), cancellation));
        return counts;
    }

    private static ReconciliationFinding Read(Reconciliation reconciliation, IReadOnlyList<LedgerRow> ledger, ReadTopic read)
    {
        BrokerCount[] counts = [.. Topics.All.Select(topic => read(topic, reconciliation.Add))];
        return new ReconciliationFinding(reconciliation.Compare(ledger), counts);
    }
}
