using System.Net;
using System.Net.Sockets;
using System.Text;
using EcoLora.DaprTestKit;
using EcoLora.Messaging.Dapr;
using EcoLora.Messaging.DaprSdk;
using Grpc.Core;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Logging;

namespace EcoLora.Messaging.Tests;

/// <summary>Calls by Dapr's SDK where they are not as by HTTP: codes, limits, and a channel that must find its sidecar again.</summary>
public sealed class SdkSidecarTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task What_was_written_by_either_way_is_read_and_replaced_by_the_other()
    {
        await using RedisServer redis = await StartRedisAsync();
        using var resources = new SidecarResources(redis);
        await using SidecarInProcess sidecar = await SidecarInProcess.StartAsync("both", null, resources.Path);
        using ISidecar http = new SidecarClient(OptionsOf(sidecar)), sdk = new SdkSidecar(OptionsOf(sidecar));
        DaprStateStore[] stores = [new(http), new(sdk)];
        foreach ((DaprStateStore one, DaprStateStore other, string key) in ((DaprStateStore, DaprStateStore, string)[])[(stores[0], stores[1], "a"), (stores[1], stores[0], "b")])
        {
            const string Text = "{\"b\":1,\"a\":18446744073709551615} ä𝄞<>&\u2028\"\\\n\0";
            Assert.True(await one.TryWriteAsync(key, Encoding.UTF8.GetBytes(Text), null, Cancellation));
            StoredValue read = (await other.ReadAsync(key, Cancellation))!;
            Assert.Equal(Text, Encoding.UTF8.GetString(read.Value.Span));
            Assert.True(await other.TryWriteAsync(key, "2"u8.ToArray(), read.ETag, Cancellation));
            Assert.False(await one.TryWriteAsync(key, "3"u8.ToArray(), read.ETag, Cancellation));
            Assert.Equal("2"u8.ToArray(), (await one.ReadManyAsync([key], Cancellation))[0]!.Value.ToArray());
        }
    }

    [Fact]
    public async Task Values_that_together_are_more_than_a_sidecar_may_send_are_read_all_the_same()
    {
        await using RedisServer redis = await StartRedisAsync();
        using var resources = new SidecarResources(redis);
        await using SidecarInProcess sidecar = await SidecarInProcess.StartAsync("large", null, resources.Path);
        using var client = new SdkSidecar(OptionsOf(sidecar));
        var store = new DaprStateStore(client);
        string[] keys = [.. Enumerable.Range(0, 8).Select(i => $"key.{i}")];
        byte[] value = [.. Enumerable.Repeat((byte)'x', 1_000_000)];
        foreach (string key in keys) Assert.True(await store.TryWriteAsync(key, value, null, Cancellation));
        Assert.All(await store.ReadManyAsync(keys, Cancellation), read => Assert.Equal(value, read!.Value.ToArray()));
    }

    [Fact]
    public async Task A_refusal_that_does_not_get_better_is_told_at_once_by_its_code()
    {
        await using RedisServer redis = await StartRedisAsync();
        using var resources = new SidecarResources(redis);
        await using SidecarInProcess sidecar = await SidecarInProcess.StartAsync("refused", null, resources.Path, apiToken: "right");
        DaprOptions right = OptionsOf(sidecar) with { ApiToken = "right" };
        foreach ((DaprOptions options, string found) in ((DaprOptions, string)[])[(right with { ApiToken = "wrong" }, "Unauthenticated "), (right with { PubSub = "other" }, "InvalidArgument pubsub other is not found")])
        {
            using var client = new SdkSidecar(options);
            CallException refused = await Assert.ThrowsAsync<CallException>(() => client.PublishAsync("rounds", "key", (byte[])[1], Cancellation));
            Assert.StartsWith("sidecar: expected publish rounds to be taken, found " + found, refused.Message, StringComparison.Ordinal);
        }
        using var elsewhere = new SdkSidecar(right with { StateStore = "other" });
        Assert.EndsWith("found InvalidArgument state store other is not found", (await Assert.ThrowsAsync<CallException>(() => new DaprStateStore(elsewhere).ReadAsync("key", Cancellation))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_secret_is_read_and_a_store_that_is_not_there_has_none()
    {
        await using RedisServer redis = await StartRedisAsync();
        using var resources = new SidecarResources(redis);
        resources.Add("secrets.yaml", SidecarResources.Component("secrets", "secretstores.local.env"));
        await using SidecarInProcess sidecar = await SidecarInProcess.StartAsync("secretive", null, resources.Path);
        using ISidecar http = new SidecarClient(OptionsOf(sidecar)), sdk = new SdkSidecar(OptionsOf(sidecar));
        foreach (ISidecar way in (ISidecar[])[http, sdk])
        {
            var refused = new List<string>();
            Assert.Equal(Environment.GetEnvironmentVariable("PATH"), await way.ReadSecretAsync("secrets", "PATH", refused.Add, Cancellation));
            Assert.Null(await way.ReadSecretAsync("secrets", "ecolora-no-such-secret", refused.Add, Cancellation));
            Assert.Empty(refused);
            Assert.Null(await way.ReadSecretAsync("others", "PATH", refused.Add, Cancellation));
            Assert.Equal([way == http ? "401" : "InvalidArgument"], refused);
        }
    }

    [Fact]
    public async Task Who_publishes_finds_a_sidecar_that_was_away()
    {
        await using RedisServer redis = await StartRedisAsync();
        using var resources = new SidecarResources(redis);
        await using SidecarProcess sidecar = SidecarProcess.Prepare("away", null, resources.Path);
        using var client = new SdkSidecar(new DaprOptions(new Uri($"http://127.0.0.1:{sidecar.HttpPort}")) { GrpcEndpoint = new Uri($"http://127.0.0.1:{sidecar.GrpcPort}") });
        Assert.False(await client.IsReadyAsync(Cancellation));
        for (int life = 0; life < 2; life++)
        {
            Task published = client.PublishAsync("rounds", "key", (byte[])[(byte)life], Cancellation);
            await sidecar.StartAgainAsync();
            await published;
            Assert.True(await client.IsReadyAsync(Cancellation));
            await sidecar.KillAsync();
        }
        Assert.Equal([[0], [1]], await redis.StreamAsync("rounds"));
    }

    [Theory]
    [InlineData(StatusCode.DeadlineExceeded)]
    [InlineData(StatusCode.Cancelled)]
    [InlineData(StatusCode.Unknown)]
    public async Task A_status_of_the_sidecars_that_may_get_better_is_tried_again(StatusCode status)
    {
        int calls = 0, port = FreePort.Next();
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, port, listen => listen.Protocols = HttpProtocols.Http2));
        await using WebApplication app = builder.Build();
        app.Run(async context =>
        {
            context.Response.ContentType = "application/grpc";
            if (++calls == 1)
            {
                context.Response.Headers["grpc-status"] = $"{(int)status}";
                return;
            }
            await context.Response.Body.WriteAsync(new byte[5]); // An empty message.
            context.Response.AppendTrailer("grpc-status", "0");
        });
        await app.StartAsync(Cancellation);
        using var client = new SdkSidecar(OptionsOf(port));
        await client.PublishAsync("rounds", "key", (byte[])[1], Cancellation);
        Assert.Equal(2, calls);
    }

    [Fact]
    public async Task Patience_has_an_end_with_nobody_there()
    {
        using var client = new SdkSidecar(OptionsOf(FreePort.Next()) with { Patience = TimeSpan.FromMilliseconds(300) });
        Assert.Contains("found Unavailable ", (await Assert.ThrowsAsync<CallException>(() => client.PublishAsync("rounds", "key", (byte[])[1], Cancellation))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task It_has_an_end_with_somebody_who_never_answers_and_giving_up_ends_a_call_under_way()
    {
        using var silent = new TcpListener(IPAddress.Loopback, 0);
        silent.Start();
        int port = ((IPEndPoint)silent.LocalEndpoint).Port;
        using var impatient = new SdkSidecar(OptionsOf(port) with { Patience = TimeSpan.FromMilliseconds(300) });
        Assert.EndsWith("found no answer in 0.3 s", (await Assert.ThrowsAsync<CallException>(() => impatient.ReadStateAsync("key", Cancellation))).Message, StringComparison.Ordinal);

        using var client = new SdkSidecar(OptionsOf(port));
        using var giveUp = new CancellationTokenSource();
        Task publishing = client.PublishAsync("rounds", "key", (byte[])[1], giveUp.Token);
        using TcpClient connection = await silent.AcceptTcpClientAsync(Cancellation);
        Assert.False(publishing.IsCompleted);
        await giveUp.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => publishing.WaitAsync(TimeSpan.FromSeconds(30), Cancellation));
    }

    private static DaprOptions OptionsOf(int port) => new(new Uri($"http://127.0.0.1:{FreePort.Next()}")) { GrpcEndpoint = new Uri($"http://127.0.0.1:{port}") };

    private static Task<RedisServer> StartRedisAsync()
    {
        Assert.SkipUnless(RedisServer.IsInstalled, RedisServer.SkipReason);
        return RedisServer.StartAsync();
    }

    private static DaprOptions OptionsOf(SidecarInProcess sidecar) => DaprStateStoreConformance.StateServer.OptionsOf(sidecar);
}
