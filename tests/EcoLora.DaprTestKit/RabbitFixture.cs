namespace EcoLora.DaprTestKit;

/// <summary>One RabbitMQ for all tests of a project, started by the first that asks: an assembly fixture. Tests have app ids of their own; those with the same topics go one after the other.</summary>
public sealed class RabbitFixture : IAsyncDisposable
{
    private readonly Lazy<Task<RabbitServer>> _server = new(() => RabbitServer.StartAsync());

    /// <summary>The server, or a skipped test where rabbitmq-server is missing.</summary>
    public Task<RabbitServer> RequireAsync()
    {
        Xunit.Assert.SkipUnless(RabbitServer.IsInstalled, RabbitServer.SkipReason);
        return _server.Value;
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        if (_server.IsValueCreated) await (await _server.Value).DisposeAsync();
    }
}
