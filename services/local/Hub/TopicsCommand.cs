using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using EcoLora.Federation;
using EcoLora.Hosting;
using EcoLora.Messaging;
using EcoLora.Messaging.Kafka;
using EcoLora.Telemetry;

namespace EcoLora.Local.Hub;

/// <summary><c>ecolora topics</c>: makes and checks the topics on Kafka, and shows how far their readers are behind.</summary>
internal static class TopicsCommand
{
    private const string Security = "Kafka's security settings, where it has some, are read from " + KafkaSettings.Security + ", as by the services.";

    private static readonly string[] _topics = [.. Topics.All, .. Topics.All.Select(topic => topic + IMessageBus.DeadLetterSuffix)];

    public static Command Create() => new("topics", "Make and check the topics on Kafka, and show how far their readers are behind.") { Ensure(), Show() };

    private static DocumentedCommand Ensure()
    {
        Option<string?> brokers = Brokers();
        Option<long?> partitions = Arguments.Integer("--partitions", 1, 1000, "Partitions of each topic. [default: 4]");
        Option<long?> copies = Arguments.Integer("--copies", 1, 9, "Brokers that each message is on. [default: 3, or as many as there are]");
        Option<long?> days = Arguments.Integer("--days", 1, 3650, "How long messages are kept, whoever has read them. [default: 7]");
        Option<bool> json = Arguments.Json("the topics");
        var command = new DocumentedCommand("ensure", "Make the topics that are not there, and check the others.",
            "Nothing that exists is changed: where a topic falls short of what is asked for, that is said, and the exit code is 5. " + Security,
            "ecolora topics ensure --kafka localhost:9092", "ecolora topics ensure --partitions 8 --days 14") { brokers, partitions, copies, days, json };
        command.SetAction(async (parsed, _) =>
        {
            using KafkaTopics kafka = Open(parsed.GetValue(brokers));
            var rule = new TopicRule((int)(parsed.GetValue(partitions) ?? 4), (int)(parsed.GetValue(copies) ?? Math.Min(3, kafka.CountBrokers())), TimeSpan.FromDays(parsed.GetValue(days) ?? 7));
            IReadOnlyList<string> made = await kafka.CreateAsync(_topics, rule);
            IReadOnlyList<TopicFacts> found = await kafka.DescribeAsync(_topics);
            string[] faults = [.. _topics.Except(found.Select(topic => topic.Name)).Select(topic => $"topic {topic}: expected it to be there, found none"),
                .. found.SelectMany(topic => rule.Faults(topic).Select(fault => $"topic {topic.Name}: {fault}"))];
            ResultTable.Print(parsed.GetValue(json), new JsonObject { ["made"] = Array(made), ["topics"] = Array(found.Select(JsonOf)), ["faults"] = Array(faults) }, TableOf(found, made));
            foreach (string fault in faults) Console.Error.WriteLine($"ecolora: {fault}");
            return faults.Length == 0 ? ExitCodes.Success : ExitCodes.CheckFailed;
        });
        return command;
    }

    private static DocumentedCommand Show()
    {
        Option<string?> brokers = Brokers();
        Option<string[]> groups = Arguments.Texts("--group", "APP-ID", "Whose lag to show; can be given several times. [default: all groups of the cluster]");
        Option<bool> json = Arguments.Json("topics and lag");
        var command = new DocumentedCommand("show", "Show the topics, and how far each app is behind on them.",
            "behind: messages that are kept and not handled yet. lost: messages that were forgotten before the app had handled them; what it needs of them it is told\n"
            + "again. Apps that have read nothing yet are not listed. " + Security, "ecolora topics show", "ecolora topics show --kafka broker:9092 --group aggregator --json") { brokers, groups, json };
        command.SetAction(async (parsed, _) =>
        {
            using KafkaTopics kafka = Open(parsed.GetValue(brokers));
            IReadOnlyList<TopicFacts> found = await kafka.DescribeAsync(_topics);
            IReadOnlyList<string>? named = parsed.GetRequiredValue(groups) is { Length: > 0 } given ? given : kafka.Groups();
            GroupLag[] lag = [.. (named ?? []).SelectMany(group => kafka.LagOf(group, _topics))];
            var result = new JsonObject { ["topics"] = Array(found.Select(JsonOf)), ["lag"] = named is null ? null : Array(lag.Select(JsonOf)) };
            ResultTable.Print(parsed.GetValue(json), result, TableOf(found, []), TableOf(lag));
            if (named is null) Console.Error.WriteLine("ecolora: the cluster does not tell its groups; name them with --group");
            return ExitCodes.Success;
        });
        return command;
    }

    private static Option<string?> Brokers() => Arguments.Text("--kafka", "HOST:PORT", $"The brokers, several with commas between. [default: {KafkaSettings.Brokers}, else localhost:9092]");

    /// <summary>Opens the cluster with the services' own settings.</summary>
    internal static KafkaTopics Open(string? brokers)
    {
        var variables = new ServiceVariables(name => name != KafkaSettings.Brokers ? Environment.GetEnvironmentVariable(name)
            : brokers ?? (Environment.GetEnvironmentVariable(name) is { Length: > 0 } known ? known : "localhost:9092"));
        return new KafkaTopics(KafkaSettings.Read(variables, "ecolora")! with { Patience = TimeSpan.FromSeconds(15) });
    }

    private static ResultTable TableOf(IEnumerable<TopicFacts> topics, IEnumerable<string> made) => new("", ["topic", "partitions", "copies", "kept for", "largest", "messages", "forgotten"],
    [
        .. topics.Select(topic => (IReadOnlyList<string>)
        [
            made.Contains(topic.Name) ? $"{topic.Name} (made)" : topic.Name, Text(topic.Partitions), Text(topic.Copies), KeptFor(topic), Largest(topic), Text(topic.Messages), Text(topic.Forgotten),
        ]),
    ]);

    private static ResultTable TableOf(IEnumerable<GroupLag> lag) =>
        new("", ["app", "topic", "behind", "lost"], [.. lag.Select(each => (IReadOnlyList<string>)[each.Group, each.Topic, Text(each.Behind), Text(each.Lost)])]);

    private static string KeptFor(TopicFacts topic) => Setting(topic, "retention.ms") switch
    {
        null => "?",
        -1 => "ever",
        long time => string.Create(CultureInfo.InvariantCulture, $"{TimeSpan.FromMilliseconds(time).TotalDays:0.##} days"),
    };

    private static string Largest(TopicFacts topic) => Setting(topic, "max.message.bytes") is { } bytes ? Quantity.Bytes(bytes) : "?";

    private static long? Setting(TopicFacts topic, string name) =>
        topic.Settings?.GetValueOrDefault(name) is { } text && long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long value) ? value : null;

    private static JsonObject JsonOf(TopicFacts topic) => new()
    {
        ["name"] = topic.Name,
        ["partitions"] = topic.Partitions,
        ["copies"] = topic.Copies,
        ["settings"] = topic.Settings is null ? null : new JsonObject(topic.Settings.OrderBy(each => each.Key, StringComparer.Ordinal).Select(each => KeyValuePair.Create(each.Key, (JsonNode?)each.Value))),
        ["messages"] = topic.Messages,
        ["forgotten"] = topic.Forgotten,
    };

    private static JsonObject JsonOf(GroupLag lag) => new() { ["app"] = lag.Group, ["topic"] = lag.Topic, ["behind"] = lag.Behind, ["lost"] = lag.Lost };

    private static JsonArray Array(IEnumerable<string> texts) => [.. texts.Select(text => (JsonNode)text)];

    private static JsonArray Array(IEnumerable<JsonObject> objects) => [.. objects];

    private static string Text(long number) => number.ToString(CultureInfo.InvariantCulture);
}
