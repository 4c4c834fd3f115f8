using System.Text.Json;
using System.Threading.Channels;

namespace EcoLora.DaprSidecar;

/// <summary>
/// A subscription whose messages come to the app several at once. Each waits with the broker's handler until its bundle is answered, so a bundle holds no more
/// than the broker hands out beside each other: ten on Redis unless its concurrency says otherwise, one on RabbitMQ with concurrencyMode single.
/// </summary>
internal sealed class BulkSubscribedTopic(
    TopicSubscription subscription, BulkLimits limits, DeadLetters deadLetters, AppChannel app, Policy policy, Faults faults)
{
    private readonly Channel<Entry> _arrived = Channel.CreateBounded<Entry>(limits.Messages);

    public async Task<bool> HandleAsync(BrokerMessage message, CancellationToken shutdown)
    {
        Entry entry = new(Guid.NewGuid().ToString(), message);
        await _arrived.Writer.WriteAsync(entry, shutdown);
        return await entry.Done.Task.WaitAsync(shutdown);
    }

    /// <summary>One bundle after the other, until the process ends.</summary>
    public async Task RunAsync(CancellationToken shutdown)
    {
        try
        {
            while (await _arrived.Reader.WaitToReadAsync(shutdown)) await FlushAsync(await BundleAsync(shutdown), shutdown);
        }
        catch (OperationCanceledException)
        {
            // Shutting down: what has not been answered stays with the broker.
        }
    }

    private async Task<List<Entry>> BundleAsync(CancellationToken shutdown)
    {
        List<Entry> bundle = [];
        using CancellationTokenSource full = CancellationTokenSource.CreateLinkedTokenSource(shutdown);
        full.CancelAfter(limits.Await);
        try
        {
            while (bundle.Count < limits.Messages) bundle.Add(await _arrived.Reader.ReadAsync(full.Token));
        }
        catch (OperationCanceledException) when (!shutdown.IsCancellationRequested)
        {
            // The first has waited long enough.
        }
        return bundle;
    }

    private async Task FlushAsync(List<Entry> bundle, CancellationToken shutdown)
    {
        Dictionary<string, List<Entry>> byRoute = new(StringComparer.Ordinal);
        foreach (Entry entry in bundle)
        {
            if (await RouteOfAsync(entry) is not { } route) continue;
            if (!byRoute.TryGetValue(route, out List<Entry>? entries)) byRoute.Add(route, entries = []);
            entries.Add(entry);
        }
        foreach ((string route, List<Entry> entries) in byRoute) await DeliverAsync(route, entries, shutdown);
        List<Entry> failed = bundle.FindAll(entry => entry.HasFailed);
        bool buried = failed.Count > 0 && (await Task.WhenAll(failed.Select(entry => deadLetters.SendAsync(entry.Message)))).All(sent => sent);
        foreach (Entry entry in bundle) entry.Done.TrySetResult(!entry.HasFailed || buried);
    }

    /// <summary>
    /// Where an entry goes; null where it is done with. One that no rule takes becomes a dead letter and is delivered all the same, to the empty path: so
    /// says the source.
    /// </summary>
    private async Task<string?> RouteOfAsync(Entry entry)
    {
        byte[] data = entry.Message.Data;
        object? matched = subscription.RawPayload ? System.Text.Encoding.UTF8.GetString(data) : CloudEvent.Read(data);
        try
        {
            entry.HasFailed = matched is null;
            if (matched is null) return null;
            if (matched is JsonElement theEvent && CloudEvent.HasExpired(theEvent))
            {
                await deadLetters.SendAsync(entry.Message);
                return null;
            }
            if (subscription.RouteOf(matched) is { } route) return route;
            await deadLetters.SendAsync(entry.Message);
            return "";
        }
        catch (CelException error)
        {
            await Console.Error.WriteLineAsync($"no route for message {entry.Message.Id} of {entry.Message.Topic}: {error.Message}");
            entry.HasFailed = true;
            return null;
        }
    }

    private async Task DeliverAsync(string route, List<Entry> entries, CancellationToken shutdown)
    {
        List<Entry> open = entries;
        foreach (Entry entry in entries) entry.HasFailed = true;
        // Only what the app wants again is sent again.
        await policy.RunAsync(async attempt =>
        {
            faults.BeforeDelivery();
            IReadOnlyDictionary<string, AppVerdict> verdicts = await app.DeliverBulkAsync(route, Envelope(open), Headers(), [.. open.Select(e => e.Id)], attempt);
            faults.AfterAnswer();
            foreach (Entry entry in open)
            {
                entry.HasFailed = verdicts[entry.Id] == AppVerdict.Retry;
                if (verdicts[entry.Id] == AppVerdict.Drop) await deadLetters.SendAsync(entry.Message);
            }
            open = open.FindAll(entry => entry.HasFailed);
            return open.Count == 0;
        }, shutdown);
    }

    private Dictionary<string, string> Headers() => new(StringComparer.OrdinalIgnoreCase) { ["pubsubName"] = subscription.PubSubName };

    private byte[] Envelope(List<Entry> entries) => JsonSerializer.SerializeToUtf8Bytes(new
    {
        id = Guid.NewGuid().ToString(),
        type = "com.dapr.event.sent.bulk",
        topic = subscription.Topic,
        pubsubname = subscription.PubSubName,
        metadata = Headers(),
        entries = entries.Select(entry => new
        {
            entryId = entry.Id,
            @event = subscription.RawPayload ? (object)Convert.ToBase64String(entry.Message.Data) : JsonSerializer.Deserialize<JsonElement>(entry.Message.Data),
            metadata = entry.Message.Metadata,
            contentType = subscription.RawPayload ? "application/octet-stream" : CloudEvent.ContentType,
        }),
    });

    private sealed class Entry(string id, BrokerMessage message)
    {
        public string Id => id;

        public BrokerMessage Message => message;

        public bool HasFailed { get; set; }

        public TaskCompletionSource<bool> Done { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
