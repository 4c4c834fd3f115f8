using System.Diagnostics;
using System.Globalization;
using System.Net.Http.Json;
using System.Text.Json;
using EcoLora.TestKit;

namespace EcoLora.DaprTestKit;

/// <summary>A Prometheus of the test's own, which scrapes what it is told. Where Debian's package is not installed, the test is reported as skipped.</summary>
public sealed class PrometheusServer : IAsyncDisposable
{
    /// <summary>Why a test that needs Prometheus is skipped.</summary>
    public const string SkipReason = "needs prometheus and promtool (Debian: apt-get install prometheus)";

    private readonly TemporaryFolder _folder = new();
    private readonly HttpClient _client;
    private Process? _process;

    private PrometheusServer() => _client = new HttpClient { BaseAddress = new Uri($"http://127.0.0.1:{Port}") };

    /// <summary>The port.</summary>
    public int Port { get; } = FreePort.Next();

    /// <summary>Starts one with a configuration, and with rules where there are any.</summary>
    /// <param name="configuration">prometheus.yml; a relative path in it is in <paramref name="files"/>.</param>
    /// <param name="files">Other files beside it, by name.</param>
    public static async Task<PrometheusServer> StartAsync(string configuration, params (string Name, string Text)[] files)
    {
        Xunit.Assert.SkipWhen(InstalledProgram.Find("prometheus") is null || InstalledProgram.Find("promtool") is null, SkipReason);
        var server = new PrometheusServer();
        foreach ((string name, string text) in files) await File.WriteAllTextAsync(server._folder[name], text);
        await File.WriteAllTextAsync(server._folder["prometheus.yml"], configuration);
        server._process = Process.Start(new ProcessStartInfo(
            InstalledProgram.Find("prometheus")!,
            [$"--config.file={server._folder["prometheus.yml"]}", $"--storage.tsdb.path={server._folder["data"]}", $"--web.listen-address=127.0.0.1:{server.Port}", "--log.level=warn"])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        server._process.BeginOutputReadLine();
        server._process.BeginErrorReadLine();
        await Eventually.TrueAsync(server.IsReadyAsync, "prometheus is ready");
        return server;
    }

    /// <summary>What an instant query gives: the labels and the value of each series.</summary>
    public async Task<IReadOnlyList<(IReadOnlyDictionary<string, string> Labels, double Value)>> QueryAsync(string query)
    {
        JsonElement answer = await _client.GetFromJsonAsync<JsonElement>($"/api/v1/query?query={Uri.EscapeDataString(query)}");
        return [.. answer.GetProperty("data").GetProperty("result").EnumerateArray().Select(series => (
            (IReadOnlyDictionary<string, string>)series.GetProperty("metric").EnumerateObject().ToDictionary(label => label.Name, label => label.Value.GetString()!),
            double.Parse(series.GetProperty("value")[1].GetString()!, CultureInfo.InvariantCulture)))];
    }

    /// <summary>Runs promtool.</summary>
    /// <returns>Its exit code and all that it wrote.</returns>
    public static async Task<(int Code, string Output)> PromtoolAsync(string input, params string[] arguments)
    {
        Xunit.Assert.SkipWhen(InstalledProgram.Find("promtool") is null, SkipReason);
        using Process process = Process.Start(new ProcessStartInfo(InstalledProgram.Find("promtool")!, arguments) { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true })!;
        Task<string> output = process.StandardOutput.ReadToEndAsync(), error = process.StandardError.ReadToEndAsync();
        await process.StandardInput.WriteAsync(input);
        process.StandardInput.Close();
        await process.WaitForExitAsync();
        return (process.ExitCode, await output + await error);
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        if (_process is { } process)
        {
            process.Kill();
            await process.WaitForExitAsync();
            process.Dispose();
        }
        _client.Dispose();
        _folder.Dispose();
    }

    private async Task<bool> IsReadyAsync()
    {
        try
        {
            using HttpResponseMessage response = await _client.GetAsync(new Uri("/-/ready", UriKind.Relative));
            return response.IsSuccessStatusCode;
        }
        catch (HttpRequestException)
        {
            return false;
        }
    }
}
