using System.Collections.Concurrent;
using System.Globalization;
using System.Text.Json;
using EcoLora.DaprTestKit;

namespace EcoLora.DaprSidecar.Tests.JsSdk;

/// <summary>Each script is run once, by the first test that asks for one of its checks, with the sidecars that it talks to.</summary>
public sealed class SdkRuns(RedisFixture redis, RabbitFixture rabbit) : IAsyncDisposable
{
    private readonly Lazy<Task<NodeFolder>> _folder = new(NodeFolder.OpenAsync);
    private readonly ConcurrentDictionary<string, Lazy<Task<Run>>> _runs = new(StringComparer.Ordinal);

    public Task<Run> OfAsync(string script, string broker) =>
        _runs.GetOrAdd($"{script} {broker}", _ => new(() => script switch
        {
            "state.mjs" => StateAsync(),
            "invocation.mjs" => InvocationAsync(),
            "pubsub.mjs" => PubSubAsync(broker),
            _ => throw new InvalidOperationException($"expected a script that is known, found {script}"),
        })).Value;

    public async ValueTask DisposeAsync()
    {
        if (_folder.IsValueCreated && _folder.Value.IsCompletedSuccessfully) (await _folder.Value).Dispose();
    }

    private async Task<Run> StateAsync()
    {
        NodeFolder folder = await _folder.Value;
        using SidecarResources resources = SidecarResources.OfProduct("redis", redis.Require());
        // A variable of this test's own: sidecars inherit it.
        string secret = $"ECOLORA_TEST_{Guid.NewGuid():N}";
        Environment.SetEnvironmentVariable(secret, "a secret");
        await using SidecarProcess sidecar = await SidecarProcess.StartAsync("js-state", resourcesPath: resources.Path, apiToken: "js-token");
        Environment.SetEnvironmentVariable(secret, null);
        await using SidecarProcess toEnd = await SidecarProcess.StartAsync("js-ending");
        return await Run.OfAsync(folder, "state.mjs", [sidecar, toEnd],
            ("DAPR_PORT", Text(sidecar.HttpPort)), ("SHUTDOWN_PORT", Text(toEnd.HttpPort)), ("TOKEN", "js-token"), ("SECRET_NAME", secret));
    }

    private async Task<Run> InvocationAsync()
    {
        NodeFolder folder = await _folder.Value;
        using SidecarResources resources = new(redis.Require());
        (int one, int two) = (FreePort.Next(), FreePort.Next());
        await using SidecarProcess first = await SidecarProcess.StartAsync("js-one", one, resources.Path);
        await using SidecarProcess second = await SidecarProcess.StartAsync("js-two", two, resources.Path);
        return await Run.OfAsync(folder, "invocation.mjs", [first, second],
            ("APP_PORT_1", Text(one)), ("APP_PORT_2", Text(two)), ("DAPR_PORT_1", Text(first.HttpPort)), ("DAPR_PORT_2", Text(second.HttpPort)));
    }

    private async Task<Run> PubSubAsync(string broker)
    {
        NodeFolder folder = await _folder.Value;
        // A Redis of its own: streams keep what another run has left.
        await using RedisServer? own = await RedisServer.StartAsync();
        using SidecarResources resources = broker == "redis" ? new(own) : new(own, await rabbit.RequireAsync(), ("deletedWhenUnused", "false"));
        (string, string)[] address = broker == "redis" ? [("redisHost", own.Endpoint)] : [("hostname", (await rabbit.RequireAsync()).Endpoint)];
        resources.AddInboundRetry(maxRetries: 10)
            .Add("scoped.yaml", SidecarResources.Component("scoped", $"pubsub.{broker}", [.. address, ("publishingScopes", "js-publisher=open")]));
        int port = FreePort.Next();
        await using SidecarProcess app = await SidecarProcess.StartAsync($"js-{broker}", port, resources.Path);
        await using SidecarProcess publisher = await SidecarProcess.StartAsync("js-publisher", resourcesPath: resources.Path);
        return await Run.OfAsync(folder, "pubsub.mjs", [app, publisher],
            ("APP_PORT", Text(port)), ("DAPR_PORT", Text(app.HttpPort)), ("PUBLISHER_PORT", Text(publisher.HttpPort)));
    }

    private static string Text(int port) => port.ToString(CultureInfo.InvariantCulture);

    /// <summary>What a script has reported.</summary>
    public sealed class Run
    {
        private readonly Dictionary<string, string?> _failures = new(StringComparer.Ordinal);
        private string _everything = "";

        /// <summary>Null where the check has passed; else what was expected and found.</summary>
        public string? FailureOf(string check) => _failures.TryGetValue(check, out string? failure) ? failure : $"not reported; {_everything}";

        internal static async Task<Run> OfAsync(NodeFolder folder, string script, SidecarProcess[] sidecars, params (string Name, string Value)[] variables)
        {
            Run run = new();
            (int status, string output) = await folder.NodeAsync(script, variables);
            foreach (string line in output.Split('\n').Where(line => line.StartsWith("{\"check\":", StringComparison.Ordinal)))
            {
                JsonElement report = JsonSerializer.Deserialize<JsonElement>(line);
                run._failures[report.GetProperty("check").GetString()!] = report.GetProperty("failure").GetString();
            }
            run._everything = $"{script} ended with {status}: {output}\n{string.Join('\n', sidecars.Select(s => $"sidecar {s.AppId}: {s.Output}"))}";
            return run;
        }
    }
}
