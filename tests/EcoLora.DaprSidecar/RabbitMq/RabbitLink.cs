using RabbitMQ.Client;
using RabbitMQ.Client.Exceptions;

namespace EcoLora.DaprSidecar;

/// <summary>
/// The one connection and the one channel that all publishes and subscriptions of a component share, so an error of one of them breaks all. It is made
/// again by whoever notices first; the client library's own recovery is off.
/// </summary>
internal sealed class RabbitLink(RabbitSettings settings) : IAsyncDisposable
{
    private readonly SemaphoreSlim _turn = new(1, 1);
    private readonly HashSet<string> _exchanges = new(StringComparer.Ordinal);
    private readonly ConnectionFactory _factory = new() { Uri = settings.Address, AutomaticRecoveryEnabled = false, TopologyRecoveryEnabled = false };
    private IConnection? _connection;
    private IChannel? _channel;
    private TaskCompletionSource<bool>? _confirmation;
    private int _generation;
    private bool _closed;

    /// <summary>Grows with every connection: who failed in an older one need not connect again.</summary>
    public int Generation => Volatile.Read(ref _generation);

    /// <summary>The first connection; <see cref="BrokerException"/> where it cannot be made.</summary>
    public async Task OpenAsync()
    {
        try
        {
            await ConnectAsync();
        }
        catch (Exception error) when (IsBroken(error))
        {
            throw new BrokerException($"rabbitmq at {settings.Address.Host}:{settings.Address.Port}: {error.Message}", error);
        }
    }

    /// <summary>Runs with the channel while nobody else does.</summary>
    public async Task<T> UseAsync<T>(Func<IChannel, Task<T>> act)
    {
        await _turn.WaitAsync();
        try
        {
            return await act(_channel ?? throw new BrokerException("channel not initialized"));
        }
        catch (Exception error) when (error is not BrokerException && IsBroken(error))
        {
            throw new BrokerException(error.Message, error);
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <summary>Connects again unless somebody has since the given generation, or the channel works after all. A failure is only written down.</summary>
    public async Task ReconnectAsync(int generation)
    {
        await _turn.WaitAsync();
        try
        {
            if (_closed || generation != _generation || _channel is { IsOpen: true }) return;
            await ResetAsync();
            await ConnectAsync();
        }
        catch (Exception error) when (IsBroken(error))
        {
            await ResetAsync();
            await Console.Error.WriteLineAsync($"rabbitmq: {error.Message}");
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <summary>Declares an exchange once a connection, inside <see cref="UseAsync"/>: one that is deleted meanwhile is not missed.</summary>
    public async Task DeclareExchangeAsync(IChannel channel, string name, string kind, bool durable)
    {
        if (_exchanges.Contains(name)) return;
        await channel.ExchangeDeclareAsync(name, kind, durable, settings.DeletedWhenUnused);
        _exchanges.Add(name);
    }

    /// <summary>
    /// Publishes, inside <see cref="UseAsync"/>, and waits for the confirmation if there are any. One that does not come (refused, or the channel broke) is
    /// written down and nothing else, as the component does: the publisher hears that all is well.
    /// </summary>
    public async Task PublishAsync(IChannel channel, string exchange, string routingKey, BasicProperties properties, byte[] data)
    {
        TaskCompletionSource<bool> confirmation = new(TaskCreationOptions.RunContinuationsAsynchronously);
        _confirmation = settings.PublisherConfirm ? confirmation : null;
        await channel.BasicPublishAsync(exchange, routingKey, mandatory: false, properties, data);
        if (!settings.PublisherConfirm) return;
        if (!channel.IsOpen) confirmation.TrySetResult(false);
        if (!await confirmation.Task) await Console.Error.WriteLineAsync($"rabbitmq: no confirmation for a message to {exchange}");
    }

    public async ValueTask DisposeAsync()
    {
        await _turn.WaitAsync();
        _closed = true;
        await ResetAsync();
        _turn.Release();
    }

    /// <summary>What the client library throws when the broker refuses, is away or does not answer.</summary>
    public static bool IsBroken(Exception error) => error is RabbitMQClientException or IOException or System.Net.Sockets.SocketException
        or ObjectDisposedException or TimeoutException or OperationCanceledException;

    private async Task ConnectAsync()
    {
        _connection = await _factory.CreateConnectionAsync();
        IChannel channel = await _connection.CreateChannelAsync(new(settings.PublisherConfirm, publisherConfirmationTrackingEnabled: false));
        // One publish waits at a time, so a confirmation is always its own.
        channel.BasicAcksAsync += (_, _) => Confirm(true);
        channel.BasicNacksAsync += (_, _) => Confirm(false);
        channel.ChannelShutdownAsync += (_, _) => Confirm(false);
        _channel = channel;
        Interlocked.Increment(ref _generation);

        Task Confirm(bool stored)
        {
            _confirmation?.TrySetResult(stored);
            return Task.CompletedTask;
        }
    }

    private async Task ResetAsync()
    {
        _exchanges.Clear();
        _channel = null;
        if (_connection is not { } connection) return;
        _connection = null;
        try
        {
            await connection.AbortAsync(TimeSpan.FromSeconds(1));
            await connection.DisposeAsync();
        }
        catch (Exception error) when (IsBroken(error))
        {
            // It was broken already.
        }
    }
}
