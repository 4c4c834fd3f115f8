using EcoLora.DaprTestKit;
using EcoLora.Messaging.Dapr;

namespace EcoLora.Messaging.Tests;

/// <summary>State by Dapr's HTTP API.</summary>
public sealed class DaprStateStoreTests(DaprStateStoreTests.HttpServer server) : DaprStateStoreConformance(server), IClassFixture<DaprStateStoreTests.HttpServer>
{
    /// <summary>One Redis and one sidecar for all of these tests.</summary>
    public sealed class HttpServer() : StateServer(SidecarWay.Http);
}

/// <summary>The state store over Dapr: a test sidecar on a real Redis.</summary>
public abstract class DaprStateStoreConformance(DaprStateStoreConformance.StateServer server) : StateStoreConformance
{
    protected override Task<IStateStore> OpenAsync()
    {
        Assert.SkipUnless(RedisServer.IsInstalled, RedisServer.SkipReason);
        return Task.FromResult<IStateStore>(new DaprStateStore(server.Client!));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_write_while_redis_is_away_is_no_conflict(bool insert)
    {
        await using StateServer own = await StateServer.StartAsync(server.Way);
        var store = new DaprStateStore(own.Client!);
        CancellationToken cancellation = TestContext.Current.CancellationToken;
        string? etag = null;
        if (!insert)
        {
            Assert.True(await store.TryWriteAsync("key", "1"u8.ToArray(), null, cancellation));
            etag = (await store.ReadAsync("key", cancellation))!.ETag;
        }
        await own.Redis!.KillAsync();
        // Answered with 500 or, with an ETag, 409: never by a store that has looked.
        using var body = new StringContent($"[{{\"key\":\"key\",\"value\":1{(insert ? "" : $",\"etag\":\"{etag}\"")}}}]");
        using HttpResponseMessage answer = await own.Sidecar!.Client.PostAsync("/v1.0/state/statestore", body, cancellation);
        Assert.Equal(insert ? 500 : 409, (int)answer.StatusCode);
        Task<bool> write = store.TryWriteAsync("key", "2"u8.ToArray(), etag, cancellation);
        await own.Redis!.StartAgainAsync();
        Assert.True(await write);
        Assert.Equal("2", System.Text.Encoding.UTF8.GetString((await store.ReadAsync("key", cancellation))!.Value.Span));
        Assert.False(await store.TryWriteAsync("key", "3"u8.ToArray(), etag, cancellation));
    }

    [Fact]
    public async Task What_is_read_while_redis_is_away_is_not_taken_for_missing()
    {
        await using StateServer own = await StateServer.StartAsync(server.Way);
        var store = new DaprStateStore(own.Client!);
        CancellationToken cancellation = TestContext.Current.CancellationToken;
        Assert.True(await store.TryWriteAsync("there", "1"u8.ToArray(), null, cancellation));
        await own.Redis!.KillAsync();
        // Asked once, the sidecar says of no key that it has no value.
        Assert.DoesNotContain(null, (await own.Client!.ReadStatesAsync(["there", "absent"], cancellation)).Values);
        Task<IReadOnlyList<StoredValue?>> many = store.ReadManyAsync(["there", "absent"], cancellation);
        await own.Redis!.StartAgainAsync();
        Assert.Equal(["1", null], (await many).Select(value => value is null ? null : System.Text.Encoding.UTF8.GetString(value.Value.Span)));
    }

    /// <summary>One Redis and one sidecar.</summary>
    public class StateServer(SidecarWay way) : IAsyncLifetime
    {
        private SidecarResources? _resources;

        /// <summary>How the sidecar is spoken to.</summary>
        internal SidecarWay Way => way;

        internal RedisServer? Redis { get; private set; }

        internal SidecarInProcess? Sidecar { get; private set; }

        internal ISidecar? Client { get; private set; }

        /// <summary>One for a test alone.</summary>
        internal static async Task<StateServer> StartAsync(SidecarWay way)
        {
            Assert.SkipUnless(RedisServer.IsInstalled, RedisServer.SkipReason);
            var server = new StateServer(way);
            await server.InitializeAsync();
            return server;
        }

        internal static DaprOptions OptionsOf(SidecarInProcess sidecar) =>
            new(new Uri($"http://127.0.0.1:{sidecar.HttpPort}")) { GrpcEndpoint = new Uri($"http://127.0.0.1:{sidecar.GrpcPort}") };

        public async ValueTask InitializeAsync()
        {
            if (!RedisServer.IsInstalled) return;
            Redis = await RedisServer.StartAsync();
            _resources = new SidecarResources(Redis);
            Sidecar = await SidecarInProcess.StartAsync("state", null, _resources.Path);
            Client = way.Open(OptionsOf(Sidecar));
        }

        public async ValueTask DisposeAsync()
        {
            Client?.Dispose();
            if (Sidecar is not null) await Sidecar.DisposeAsync();
            _resources?.Dispose();
            if (Redis is not null) await Redis.DisposeAsync();
            GC.SuppressFinalize(this);
        }
    }
}
