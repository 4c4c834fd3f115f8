using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using EcoLora.TestKit;

namespace EcoLora.DaprTestKit;

/// <summary>
/// One test sidecar as a process of its own, as daprd beside an app. The app's side is <see cref="Client"/>; ports stay the same when it is started again.
/// </summary>
public sealed class SidecarProcess : IAsyncDisposable
{
    private readonly List<string> arguments;
    private readonly List<string> output = [];
    private readonly string? apiToken;
    private readonly string? appApiToken;
    private Process? process;

    private SidecarProcess(string appId, int? appPort, string? resourcesPath, string? apiToken, string? appApiToken, string[] more)
    {
        AppId = appId;
        (this.apiToken, this.appApiToken) = (apiToken, appApiToken);
        arguments = ["--app-id", appId, "--dapr-http-port", HttpPort.ToString(CultureInfo.InvariantCulture)];
        arguments.AddRange(["--dapr-grpc-port", GrpcPort.ToString(CultureInfo.InvariantCulture)]);
        if (appPort is { } port) arguments.AddRange(["--app-port", port.ToString(CultureInfo.InvariantCulture)]);
        if (resourcesPath is not null) arguments.AddRange(["--resources-path", resourcesPath]);
        arguments.AddRange(more);
        Client = new() { BaseAddress = new($"http://127.0.0.1:{HttpPort}"), Timeout = TimeSpan.FromSeconds(30) };
        if (apiToken is not null) Client.DefaultRequestHeaders.Add("dapr-api-token", apiToken);
    }

    /// <summary>The app id.</summary>
    public string AppId { get; }

    /// <summary>What the app finds in DAPR_HTTP_PORT.</summary>
    public int HttpPort { get; } = FreePort.Next();

    /// <summary>What the app finds in DAPR_GRPC_PORT; only sidecars of builds with <c>-p:Feed=full</c> listen there.</summary>
    public int GrpcPort { get; } = FreePort.Next();

    /// <summary>Speaks to the sidecar as the app does, with its token.</summary>
    public HttpClient Client { get; }

    /// <summary>Whether the process has ended.</summary>
    public bool HasExited => process?.HasExited ?? true;

    /// <summary>What it has written so far, both streams.</summary>
    public string Output
    {
        get
        {
            lock (output) return string.Join('\n', output);
        }
    }

    /// <summary>Starts one and waits for <c>/v1.0/healthz/outbound</c>: components are connected and the API answers. It does not wait for the app.</summary>
    /// <param name="appId">The app id, and the consumer group of its subscriptions.</param>
    /// <param name="appPort">Where the app listens or will listen; null for no app.</param>
    /// <param name="resourcesPath">The folder of component files.</param>
    /// <param name="apiToken">DAPR_API_TOKEN: asked of the app's calls.</param>
    /// <param name="appApiToken">APP_API_TOKEN: sent to the app.</param>
    /// <param name="more">More flags: <c>--max-body-size</c>, <c>--seed</c>, <c>--fault-…</c>.</param>
    public static async Task<SidecarProcess> StartAsync(
        string appId, int? appPort = null, string? resourcesPath = null, string? apiToken = null, string? appApiToken = null, params string[] more)
    {
        SidecarProcess sidecar = Prepare(appId, appPort, resourcesPath, apiToken, appApiToken, more);
        await sidecar.StartAgainAsync();
        return sidecar;
    }

    /// <summary>Chooses its port, and leaves the start to <see cref="StartAgainAsync"/>: an app may be there before its sidecar.</summary>
    public static SidecarProcess Prepare(
        string appId, int? appPort = null, string? resourcesPath = null, string? apiToken = null, string? appApiToken = null, params string[] more) =>
        new(appId, appPort, resourcesPath, apiToken, appApiToken, more);

    /// <summary>Starts the process, again or for the first time, with the same flags and ports, less the given prefixes (a fault that has done its work).</summary>
    public async Task StartAgainAsync(params string[] withoutFlags)
    {
        ProcessStartInfo start = new(Repository.Program("EcoLora.DaprSidecar")) { RedirectStandardOutput = true, RedirectStandardError = true };
        for (int i = 0; i < arguments.Count; i += 2)
        {
            if (withoutFlags.Any(f => arguments[i].StartsWith(f, StringComparison.Ordinal))) continue;
            start.ArgumentList.Add(arguments[i]);
            start.ArgumentList.Add(arguments[i + 1]);
        }
        foreach ((string name, string? value) in new[] { ("DAPR_API_TOKEN", apiToken), ("APP_API_TOKEN", appApiToken) })
        {
            start.Environment.Remove(name);
            if (value is not null) start.Environment[name] = value;
        }
        ShortLived.Prepare(start);
        process = new Process { StartInfo = start };
        process.OutputDataReceived += (_, line) => Keep(line.Data);
        process.ErrorDataReceived += (_, line) => Keep(line.Data);
        process.Start();
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        await Eventually.TrueAsync(() => AnswersAsync("/v1.0/healthz/outbound"), $"sidecar {AppId} answers");
    }

    /// <summary>Waits until the app has been asked for its subscriptions and all of the given topics are registered.</summary>
    public Task WaitUntilSubscribedAsync(params string[] topics) => Eventually.TrueAsync(() =>
    {
        ThrowIfEnded();
        return HasSubscribedAsync(Client, topics);
    }, $"sidecar {AppId} is subscribed to {string.Join(", ", topics)}", details: () => Output);

    /// <summary>Waits for <c>/v1.0/healthz</c>: the app's port was open and the app has been asked.</summary>
    public Task WaitUntilHealthyAsync() => Eventually.TrueAsync(() => AnswersAsync("/v1.0/healthz"), $"sidecar {AppId} is healthy");

    /// <summary>Waits for the process to end by itself and gives its exit status.</summary>
    public async Task<int> WaitForExitAsync()
    {
        await process!.WaitForExitAsync().WaitAsync(TimeSpan.FromSeconds(15));
        return process.ExitCode;
    }

    /// <summary>kill -9.</summary>
    public async Task KillAsync()
    {
        if (process is null) return;
        if (!HasExited) process.Kill();
        await WaitForExitAsync();
    }

    /// <summary>SIGTERM: it drains, then ends.</summary>
    public async Task<int> StopAsync()
    {
        using (Process kill = Process.Start("kill", ["-TERM", process!.Id.ToString(CultureInfo.InvariantCulture)])) await kill.WaitForExitAsync();
        return await WaitForExitAsync();
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await KillAsync();
        process?.Dispose();
        Client.Dispose();
    }

    /// <summary>Whether all of the topics are among the subscriptions that a sidecar has registered.</summary>
    internal static async Task<bool> HasSubscribedAsync(HttpClient client, string[] topics)
    {
        JsonElement metadata = await client.GetFromJsonAsync<JsonElement>("/v1.0/metadata");
        return metadata.TryGetProperty("subscriptions", out JsonElement registered)
            && topics.All(registered.EnumerateArray().Select(s => s.GetProperty("topic").GetString()).Contains);
    }

    private async Task<bool> AnswersAsync(string path)
    {
        ThrowIfEnded();
        try
        {
            using HttpResponseMessage response = await Client.GetAsync(path);
            return response.StatusCode == HttpStatusCode.NoContent;
        }
        catch (HttpRequestException)
        {
            return false;
        }
    }

    private void ThrowIfEnded()
    {
        if (HasExited) throw new InvalidOperationException($"sidecar {AppId} ended with {process?.ExitCode}: {Output}");
    }

    private void Keep(string? line)
    {
        if (line is null) return;
        lock (output) output.Add(line);
    }
}
