using StackExchange.Redis;

namespace EcoLora.DaprSidecar;

/// <summary>
/// One multiplexed connection. A blocking read needs one of its own: everything behind it waits.
/// </summary>
internal sealed class RedisConnection : IDisposable
{
    private readonly ConnectionMultiplexer multiplexer;
    private readonly ConfigurationOptions configuration;

    private RedisConnection(ConnectionMultiplexer multiplexer, ConfigurationOptions configuration) =>
        (this.multiplexer, this.configuration) = (multiplexer, configuration);

    public static Task<RedisConnection> OpenAsync(Component component)
    {
        ConfigurationOptions configuration = new()
        {
            AbortOnConnectFail = true,
            ConnectTimeout = 5000,
            SyncTimeout = 30_000,
            DefaultDatabase = component["redisDB"] is { } database ? int.Parse(database, System.Globalization.CultureInfo.InvariantCulture) : 0,
            Password = component["redisPassword"],
        };
        configuration.EndPoints.Add(component["redisHost"] ?? throw new FormatException($"component {component.Name}: expected redisHost, found none"));
        return OpenAsync(configuration);
    }

    /// <summary>Another connection to the same server.</summary>
    public Task<RedisConnection> OpenAnotherAsync() => OpenAsync(configuration);

    /// <summary>
    /// One command. This version of the client may cancel, or never complete, what was under way when its connection broke: both are a
    /// <see cref="TimeoutException"/> here, so that a reading loop never takes them for its own end.
    /// </summary>
    public async Task<RedisResult> CallAsync(string command, params object[] arguments)
    {
        try
        {
            return await multiplexer.GetDatabase().ExecuteAsync(command, arguments).WaitAsync(TimeSpan.FromSeconds(5));
        }
        catch (OperationCanceledException error)
        {
            throw new TimeoutException($"{command}: the connection to Redis broke", error);
        }
    }

    /// <summary>All commands in one MULTI: each happens or fails on its own, and the first failure is thrown once all have been tried.</summary>
    public async Task TransactAsync(IReadOnlyList<(string Command, object[] Arguments)> commands)
    {
        ITransaction transaction = multiplexer.GetDatabase().CreateTransaction();
        Task[] answers = [.. commands.Select(c => transaction.ExecuteAsync(c.Command, c.Arguments))];
        try
        {
            await transaction.ExecuteAsync().WaitAsync(TimeSpan.FromSeconds(5));
            await Task.WhenAll(answers).WaitAsync(TimeSpan.FromSeconds(5));
        }
        catch (OperationCanceledException error)
        {
            throw new TimeoutException("MULTI: the connection to Redis broke", error);
        }
    }

    /// <summary>Waits for no command: a blocking read would hold it up for its whole time.</summary>
    public void Dispose()
    {
        multiplexer.Close(allowCommandsToComplete: false);
        multiplexer.Dispose();
    }

    private static async Task<RedisConnection> OpenAsync(ConfigurationOptions configuration)
    {
        ConnectionMultiplexer multiplexer = await ConnectionMultiplexer.ConnectAsync(configuration);
        // Answers need no order among themselves, and keeping one makes a slow continuation hold up all others.
        multiplexer.PreserveAsyncOrder = false;
        return new(multiplexer, configuration);
    }
}
