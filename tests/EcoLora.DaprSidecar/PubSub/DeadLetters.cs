namespace EcoLora.DaprSidecar;

/// <summary>The dead-letter topic of a subscription, in the same component. It is published to as an app does: scopes and policies hold for it too.</summary>
internal sealed class DeadLetters(string? topic, IBroker broker, string appId, Policy outbound)
{
    /// <summary>Sends the same bytes and metadata; false where there is no such topic, the app may not publish to it, or the broker does not take it.</summary>
    public async Task<bool> SendAsync(BrokerMessage message)
    {
        if (topic is null) return false;
        string failure = $"topic {topic} is not allowed for app id {appId}";
        bool sent = TopicScopes.MayPublish(broker.Component, appId, topic) && await outbound.RunAsync(async _ =>
        {
            try
            {
                await broker.PublishAsync(topic, message.Data, message.Metadata);
                return true;
            }
            catch (BrokerException error)
            {
                failure = error.Message;
                return false;
            }
        }, CancellationToken.None);
        if (!sent) await Console.Error.WriteLineAsync($"dead letter from {message.Topic} to {topic}: {failure}");
        return sent;
    }
}
