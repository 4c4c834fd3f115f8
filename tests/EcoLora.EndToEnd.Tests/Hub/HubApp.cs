using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Http.Json;
using EcoLora.DaprTestKit;
using EcoLora.Messaging;
using EcoLora.TestKit;

namespace EcoLora.EndToEnd.Tests.Hub;

/// <summary>
/// One service as a process of its own beside its sidecar, as <c>dapr run</c> starts them, or without one. Ports and volume stay the same when either is started again.
/// </summary>
internal sealed class HubApp : IAsyncDisposable
{
    /// <summary>What a scheduler that was told so asks people for.</summary>
    public const string PeopleToken = "of-people-0123456789";

    private const string ApiToken = "of-the-app", AppToken = "of-the-sidecar";

    private readonly string _service;
    private readonly List<string> _output = [];
    private Process? _process;

    /// <param name="service">Scheduler, Aggregator, Codec or Trainer.</param>
    /// <param name="appId">Its app id.</param>
    /// <param name="resources">The sidecar's resources.</param>
    /// <param name="settings">Environment variables.</param>
    /// <param name="sidecarFlags">Faults.</param>
    public HubApp(string service, string appId, string resources, IReadOnlyDictionary<string, string> settings, params string[] sidecarFlags)
    {
        (_service, Settings) = (service, new Dictionary<string, string>(settings));
        Sidecar = SidecarProcess.Prepare(appId, Port, resources, ApiToken, AppToken, sidecarFlags);
        Client = new HttpClient { BaseAddress = new Uri($"http://127.0.0.1:{Port}") };
        Client.DefaultRequestHeaders.Add("dapr-api-token", AppToken);
        Client.DefaultRequestHeaders.Add("authorization", $"Bearer {PeopleToken}");
    }

    /// <summary>Environment variables of the process to come.</summary>
    public Dictionary<string, string> Settings { get; }

    /// <summary>APP_PORT.</summary>
    public int Port { get; } = FreePort.Next();

    /// <summary>Its sidecar, which is not to be started where it has none.</summary>
    public SidecarProcess Sidecar { get; }

    /// <summary>Whether it has one.</summary>
    public bool HasSidecar => Settings.GetValueOrDefault("ECOLORA_SIDECAR") != "none";

    /// <summary>Asks the service as its sidecar would, and as people do.</summary>
    public HttpClient Client { get; }

    /// <summary>What it has written so far.</summary>
    public string Output
    {
        get
        {
            lock (_output) return string.Join('\n', _output);
        }
    }

    /// <summary>Puts bytes on a topic by its sidecar, raw.</summary>
    public async Task PublishAsync(string topic, byte[] bytes)
    {
        using var content = new ByteArrayContent(bytes) { Headers = { ContentType = new("application/octet-stream") } };
        using HttpResponseMessage published = await Sidecar.Client.PostAsync($"/v1.0/publish/pubsub/{topic}?metadata.rawPayload=true", content);
        Assert.Equal(HttpStatusCode.NoContent, published.StatusCode);
    }

    /// <summary>What it has not taken in, by reason.</summary>
    public async Task<Dictionary<string, long>> RefusedAsync() =>
        (await Client.GetFromJsonAsync<Refusal[]>("/refused"))!.ToDictionary(refusal => refusal.Reason, refusal => refusal.Count);

    /// <summary>Whether the process is not there.</summary>
    public bool HasExited => _process?.HasExited ?? true;

    /// <summary>Starts the service, which waits for its sidecar.</summary>
    public void StartService()
    {
        var start = new ProcessStartInfo(Repository.Program($"EcoLora.Services.{_service}"))
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        ShortLived.Prepare(start);
        foreach ((string name, string value) in Settings) start.Environment[name] = value;
        start.Environment["APP_ID"] = Sidecar.AppId;
        start.Environment["APP_PORT"] = Port.ToString(CultureInfo.InvariantCulture);
        start.Environment["APP_API_TOKEN"] = AppToken;
        if (HasSidecar)
        {
            start.Environment["DAPR_HTTP_PORT"] = Sidecar.HttpPort.ToString(CultureInfo.InvariantCulture);
            start.Environment["DAPR_GRPC_PORT"] = Sidecar.GrpcPort.ToString(CultureInfo.InvariantCulture);
            start.Environment["DAPR_API_TOKEN"] = ApiToken;
        }
        _process = new Process { StartInfo = start };
        _process.OutputDataReceived += (_, line) => Keep(line.Data);
        _process.ErrorDataReceived += (_, line) => Keep(line.Data);
        _process.Start();
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
    }

    /// <summary>Waits until /readyz says so.</summary>
    public Task WaitUntilReadyAsync() => Eventually.TrueAsync(IsReadyAsync, $"{Sidecar.AppId} is ready", TimeSpan.FromSeconds(30));

    /// <summary>Whether /readyz says so now.</summary>
    public async Task<bool> IsReadyAsync()
    {
        if (HasExited) throw new InvalidOperationException($"{Sidecar.AppId} ended with {_process?.ExitCode}: {Output}");
        try
        {
            using HttpResponseMessage response = await Client.GetAsync(new Uri("/readyz", UriKind.Relative));
            return response.StatusCode == HttpStatusCode.OK;
        }
        catch (HttpRequestException)
        {
            return false;
        }
    }

    /// <summary>kill -9 of the service alone.</summary>
    public async Task KillAsync()
    {
        if (_process is null) return;
        if (!_process.HasExited) _process.Kill();
        await _process.WaitForExitAsync();
    }

    /// <summary>SIGTERM.</summary>
    /// <returns>The exit code.</returns>
    public async Task<int> StopAsync()
    {
        using (Process kill = Process.Start("kill", ["-TERM", _process!.Id.ToString(CultureInfo.InvariantCulture)])) await kill.WaitForExitAsync();
        return await WaitForExitAsync();
    }

    /// <summary>Waits for the service to end by itself.</summary>
    /// <returns>The exit code.</returns>
    public async Task<int> WaitForExitAsync()
    {
        await _process!.WaitForExitAsync().WaitAsync(TimeSpan.FromSeconds(40));
        return _process.ExitCode;
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await KillAsync();
        _process?.Dispose();
        await Sidecar.DisposeAsync();
        Client.Dispose();
    }

    private void Keep(string? line)
    {
        if (line is null) return;
        lock (_output) _output.Add(line);
    }
}
