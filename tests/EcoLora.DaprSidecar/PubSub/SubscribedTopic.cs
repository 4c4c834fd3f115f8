namespace EcoLora.DaprSidecar;

/// <summary>From a broker message to the app and, where the app will not have it, to the dead-letter topic.</summary>
internal sealed class SubscribedTopic(TopicSubscription subscription, IBroker broker, AppChannel app, Policy policy, Faults faults)
{
    public Task StartAsync() => broker.SubscribeAsync(subscription, HandleAsync);

    private async Task<bool> HandleAsync(BrokerMessage message, CancellationToken limit, CancellationToken shutdown)
    {
        DateTimeOffset? expiration = null;
        // A non-raw subscription reads every message as a CloudEvent: what is none never reaches the app, and no policy tries it again.
        if (!subscription.RawPayload && !CloudEvent.TryRead(message.Data, out expiration)) return await FailAsync(message);
        if (expiration < DateTimeOffset.UtcNow)
        {
            await FailAsync(message);
            return true;
        }
        byte[] body = subscription.RawPayload ? CloudEvent.AroundRaw(message.Data, subscription.PubSubName, subscription.Topic) : message.Data;
        Dictionary<string, string> headers = new(message.Metadata, StringComparer.OrdinalIgnoreCase) { ["pubsubName"] = subscription.PubSubName };
        AppVerdict verdict = AppVerdict.Retry;
        try
        {
            bool settled = await policy.RunAsync(async attempt =>
            {
                faults.BeforeDelivery();
                verdict = await app.DeliverAsync(subscription.Route, body, headers, attempt);
                faults.AfterAnswer();
                return verdict != AppVerdict.Retry;
            }, limit);
            if (!settled) verdict = AppVerdict.Retry;
        }
        catch (OperationCanceledException) when (!shutdown.IsCancellationRequested)
        {
            // The component ended the tries (Redis' processingTimeout): that is a failure like any other.
            verdict = AppVerdict.Retry;
        }
        return verdict switch
        {
            AppVerdict.Success => true,
            // A drop that cannot become a dead letter is a failure: the broker decides, and may give it again.
            AppVerdict.Drop => subscription.DeadLetterTopic is null || await FailAsync(message),
            // Failed for good unless the process is going down: then the message stays with the broker.
            _ => shutdown.IsCancellationRequested ? throw new OperationCanceledException(shutdown) : await FailAsync(message),
        };
    }

    /// <summary>The same bytes and metadata to the dead-letter topic of the same component; false where there is none or it fails.</summary>
    private async Task<bool> FailAsync(BrokerMessage message)
    {
        if (subscription.DeadLetterTopic is not { } topic) return false;
        try
        {
            await broker.PublishAsync(topic, message.Data, message.Metadata);
            return true;
        }
        catch (BrokerException error)
        {
            await Console.Error.WriteLineAsync($"dead letter to {topic}: {error.Message}");
            return false;
        }
    }
}
