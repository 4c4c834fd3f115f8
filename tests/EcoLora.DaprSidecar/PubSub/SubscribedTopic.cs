namespace EcoLora.DaprSidecar;

/// <summary>From a broker message to the app and, where the app will not have it, to the dead-letter topic.</summary>
internal sealed class SubscribedTopic(TopicSubscription subscription, DeadLetters deadLetters, AppChannel app, Policy policy, Faults faults)
{
    public async Task<bool> HandleAsync(BrokerMessage arrived, CancellationToken shutdown)
    {
        BrokerMessage message = arrived.With("pubsubName", subscription.PubSubName);
        byte[] body = subscription.RawPayload ? CloudEvent.AroundRaw(message.Data, subscription.PubSubName, subscription.Topic) : message.Data;
        // A non-raw subscription reads every message as a CloudEvent: what is none never reaches the app, and no policy tries it again.
        if (CloudEvent.Read(body) is not { } theEvent) return await deadLetters.SendAsync(message);
        string? route = null;
        if (!CloudEvent.HasExpired(theEvent))
        {
            try
            {
                route = subscription.RouteOf(theEvent);
            }
            catch (CelException error)
            {
                await Console.Error.WriteLineAsync($"no route for message {message.Id} of {message.Topic}: {error.Message}");
                return await deadLetters.SendAsync(message);
            }
        }
        if (route is null)
        {
            await deadLetters.SendAsync(message);
            return true;
        }
        AppVerdict verdict = AppVerdict.Retry;
        bool settled = await policy.RunAsync(async attempt =>
        {
            faults.BeforeDelivery();
            verdict = await app.DeliverAsync(route, body, message.Metadata, attempt);
            faults.AfterAnswer();
            return verdict != AppVerdict.Retry;
        }, shutdown);
        if (settled && verdict == AppVerdict.Success) return true;
        // A drop without a dead-letter topic is done with; one that cannot become a dead letter is a failure: the broker decides, and may give it again.
        if (settled && subscription.DeadLetterTopic is null) return true;
        // Failed for good unless the process is going down: then the message stays with the broker.
        shutdown.ThrowIfCancellationRequested();
        return await deadLetters.SendAsync(message);
    }
}
