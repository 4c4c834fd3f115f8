using System.Globalization;
using System.Threading.Channels;
using RabbitMQ.Client;
using RabbitMQ.Client.Events;

namespace EcoLora.DaprSidecar;

/// <summary>One subscription: makes the queue, reads it, and does so again when the connection was lost, until the process ends.</summary>
internal sealed class RabbitConsumer(
    TopicSubscription subscription, RabbitSettings settings, RabbitLink link, BrokerHandler handler, Faults faults,
    CancellationToken reading, CancellationToken working)
{
    private static readonly Dictionary<string, string> _noMetadata = [];
    private readonly TaskCompletionSource _subscribed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly HashSet<Task> _inFlight = [];

    /// <summary>Ends when the queue is read for the first time.</summary>
    public Task Subscribed => _subscribed.Task;

    private string QueueName => $"{settings.ConsumerId}-{subscription.Topic}";

    /// <summary>Ends when nothing is to be read any more and all that was read has been answered.</summary>
    public async Task RunAsync()
    {
        while (!reading.IsCancellationRequested)
        {
            int generation = link.Generation;
            try
            {
                ChannelReader<Delivery> deliveries = await link.UseAsync(ConsumeAsync);
                _subscribed.TrySetResult();
                await ReadAsync(deliveries);
            }
            catch (BrokerException error)
            {
                await Console.Error.WriteLineAsync($"rabbitmq: queue {QueueName}: {error.Message}");
                await Task.WhenAny(Task.Delay(settings.ReconnectWait, reading));
                await link.ReconnectAsync(generation);
            }
            catch (OperationCanceledException)
            {
                break; // Shutting down: what is not acknowledged goes back to the queue with the connection.
            }
        }
        await Task.WhenAll(_inFlight);
    }

    /// <summary>Exchange, queue, binding, consumer. The reader ends when the channel breaks or the queue is deleted.</summary>
    private async Task<ChannelReader<Delivery>> ConsumeAsync(IChannel channel)
    {
        await link.DeclareExchangeAsync(channel, subscription.Topic, settings.ExchangeKind, settings.Durable);
        Dictionary<string, object?> arguments = QueueArguments();
        if (settings.EnableDeadLetter)
        {
            await DeclareDeadLetterQueueAsync(channel);
            arguments["x-dead-letter-exchange"] = $"dlx-{QueueName}";
        }
        arguments["x-queue-type"] = "classic";
        await channel.QueueDeclareAsync(QueueName, settings.Durable, exclusive: false, settings.DeletedWhenUnused, arguments);
        if (settings.PrefetchCount > 0) await channel.BasicQosAsync(0, (ushort)settings.PrefetchCount, global: false);
        foreach (string routingKey in subscription.Metadata.GetValueOrDefault("routingKey", "").Split(','))
            await channel.QueueBindAsync(QueueName, subscription.Topic, routingKey);

        Channel<Delivery> deliveries = Channel.CreateUnbounded<Delivery>();
        AsyncEventingBasicConsumer consumer = new(channel);
        consumer.ReceivedAsync += (_, arrived) => deliveries.Writer.WriteAsync(new(channel, arrived.DeliveryTag, arrived.Body.ToArray())).AsTask();
        consumer.ShutdownAsync += (_, _) => End();
        consumer.UnregisteredAsync += (_, _) => End();
        await channel.BasicConsumeAsync(QueueName, settings.AutoAck, consumer);
        return deliveries.Reader;

        Task End()
        {
            deliveries.Writer.TryComplete();
            return Task.CompletedTask;
        }
    }

    private async Task DeclareDeadLetterQueueAsync(IChannel channel)
    {
        await link.DeclareExchangeAsync(channel, $"dlx-{QueueName}", ExchangeType.Fanout, durable: true);
        Dictionary<string, object?> arguments = QueueArguments();
        arguments["x-queue-mode"] = "lazy";
        await channel.QueueDeclareAsync($"dlq-{QueueName}", durable: true, exclusive: false, settings.DeletedWhenUnused, arguments);
        await channel.QueueBindAsync($"dlq-{QueueName}", $"dlx-{QueueName}", "");
    }

    private Dictionary<string, object?> QueueArguments()
    {
        Dictionary<string, object?> arguments = [];
        if (settings.MaxLength > 0) arguments["x-max-length"] = settings.MaxLength;
        if (settings.MaxLengthBytes > 0) arguments["x-max-length-bytes"] = settings.MaxLengthBytes;
        return arguments;
    }

    private async Task ReadAsync(ChannelReader<Delivery> deliveries)
    {
        DisorderedTopic<Delivery> disordered = new(faults, subscription.Topic, async (delivery, fate) =>
        {
            _inFlight.RemoveWhere(handling => handling.IsCompleted);
            Task handling = Task.Run(() => HandleAsync(delivery, fate), CancellationToken.None);
            _inFlight.Add(handling);
            if (settings.Single) await handling;
        });
        Task<bool> more = deliveries.WaitToReadAsync(reading).AsTask();
        while (true)
        {
            if (disordered.Holds && await Task.WhenAny(more, Task.Delay(100, reading)) != more) await disordered.ReleaseAsync();
            if (!await more) return;
            while (!reading.IsCancellationRequested && deliveries.TryRead(out Delivery? delivery)) await disordered.PassAsync(delivery);
            more = deliveries.WaitToReadAsync(reading).AsTask();
        }
    }

    private async Task HandleAsync(Delivery delivery, Fate fate)
    {
        BrokerMessage message = new(subscription.Topic, delivery.Tag.ToString(CultureInfo.InvariantCulture), delivery.Data, _noMetadata);
        try
        {
            if (fate.Delay > TimeSpan.Zero) await Task.Delay(fate.Delay, working);
            bool handled = await handler(message, working);
            if (fate.Duplicate) await handler(message, working);
            if (!handled)
                await Console.Error.WriteLineAsync($"rabbitmq: message {message.Id} of {QueueName} failed; queued again: {settings.RequeueInFailure}");
            if (settings.AutoAck) return;
            if (handled) await delivery.Channel.BasicAckAsync(delivery.Tag, multiple: false);
            else await delivery.Channel.BasicNackAsync(delivery.Tag, multiple: false, settings.RequeueInFailure);
        }
        catch (OperationCanceledException) when (working.IsCancellationRequested)
        {
            // Shutting down: neither acknowledged nor refused, so it goes back to the queue.
        }
        catch (Exception error)
        {
            await Console.Error.WriteLineAsync($"rabbitmq: message {message.Id} of {QueueName} is not answered: {error.Message}");
        }
    }

    private sealed record Delivery(IChannel Channel, ulong Tag, byte[] Data);
}
