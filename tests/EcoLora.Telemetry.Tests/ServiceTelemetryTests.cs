using System.Net;
using System.Net.Sockets;
using System.Text;

namespace EcoLora.Telemetry.Tests;

/// <summary>What is measured goes by OTLP to whoever the environment names.</summary>
public class ServiceTelemetryTests
{
    [Fact]
    public async Task Metrics_are_sent_where_the_environment_says()
    {
        using var probe = new TcpListener(IPAddress.Loopback, 0);
        probe.Start();
        string endpoint = $"http://127.0.0.1:{((IPEndPoint)probe.LocalEndpoint).Port}/";
        probe.Stop();
        using var collector = new HttpListener { Prefixes = { endpoint } };
        collector.Start();
        Environment.SetEnvironmentVariable("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint);
        Environment.SetEnvironmentVariable("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf");
        Task<(string Path, string Body)> received = ReceiveAsync(collector);
        using (var telemetry = new ServiceTelemetry("codec-a", "0.1.0", pushes: true))
        {
            Instruments.Code("encode", "run-1", 0, 100).Dispose();
            Instruments.Left("run-1", [3, 4]);
            Assert.Contains("ecolora_residual_norm_sum{ecolora_run=\"run-1\"} 5\n", telemetry.Prometheus.Read(), StringComparison.Ordinal);
        } // What was measured is sent at the end.
        (string path, string body) = await received.WaitAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken);
        Assert.Equal("/v1/metrics", path);
        foreach (string part in (string[])["codec-a", "ecolora.codec.duration", "ecolora.codec.entries", "ecolora.residual.norm", "ecolora.operation", "encode", "run-1"]) Assert.Contains(part, body, StringComparison.Ordinal);
    }

    private static async Task<(string Path, string Body)> ReceiveAsync(HttpListener collector)
    {
        HttpListenerContext call = await collector.GetContextAsync();
        using var body = new MemoryStream();
        await call.Request.InputStream.CopyToAsync(body);
        call.Response.StatusCode = 200;
        call.Response.Close();
        return (call.Request.Url!.AbsolutePath, Encoding.Latin1.GetString(body.ToArray()));
    }
}
