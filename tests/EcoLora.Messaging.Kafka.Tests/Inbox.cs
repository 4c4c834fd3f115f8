using System.Collections.Concurrent;
using EcoLora.DaprTestKit;

namespace EcoLora.Messaging.Kafka.Tests;

/// <summary>What a handler was handed, each delivery counted.</summary>
internal sealed class Inbox
{
    private readonly ConcurrentQueue<BusMessage> _messages = new();

    public int Count => _messages.Count;

    /// <summary>How many different keys there were.</summary>
    public int Keys => _messages.Select(message => message.Key).Distinct().Count();

    public Task<Verdict> AnswerAsync(BusMessage message, Verdict verdict = Verdict.Success)
    {
        _messages.Enqueue(message);
        return Task.FromResult(verdict);
    }

    public int Of(string key) => _messages.Count(message => message.Key == key);

    /// <summary>Waits until so many messages of a key were there.</summary>
    public Task WaitForAsync(string key, int count) => Eventually.TrueAsync(() => Of(key) >= count, $"{count} messages with key {key}", TimeSpan.FromSeconds(30));
}
