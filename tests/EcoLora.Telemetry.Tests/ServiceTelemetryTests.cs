using System.Net;
using System.Net.Sockets;
using System.Text;
using OpenTelemetry.Metrics;

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
        Task<Dictionary<string, string>> received = ReceiveAsync(collector, "/v1/metrics", "/v1/traces");
        using var page = new PrometheusReader();
        using (new ServiceTelemetry(new ServiceMeasures("codec-a", "0.1.0", Pushes: true), builder => builder.AddReader(page.Reader)))
        {
            Instruments.Code("encode", "run-1", 0, 100).Dispose();
            Instruments.Left("run-1", [3, 4]);
            Assert.Contains("ecolora_residual_norm_sum{ecolora_run=\"run-1\"} 5\n", page.Read(), StringComparison.Ordinal);
        } // What was measured is sent at the end.
        Dictionary<string, string> bodies = await received.WaitAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken);
        foreach (string part in (string[])["codec-a", "ecolora.codec.duration", "ecolora.codec.entries", "ecolora.residual.norm", "ecolora.operation", "encode", "run-1"])
            Assert.Contains(part, bodies["/v1/metrics"], StringComparison.Ordinal);
        foreach (string part in (string[])["codec-a", "encode", "ecolora.run", "run-1", Encoding.Latin1.GetString(Convert.FromHexString(RoundTrace.IdOf("run-1", 0).ToHexString()))])
            Assert.Contains(part, bodies["/v1/traces"], StringComparison.Ordinal);
    }

    /// <summary>Takes what is sent until there is something for each of the paths.</summary>
    private static async Task<Dictionary<string, string>> ReceiveAsync(HttpListener collector, params string[] paths)
    {
        var bodies = new Dictionary<string, string>(StringComparer.Ordinal);
        while (!paths.All(bodies.ContainsKey))
        {
            HttpListenerContext call = await collector.GetContextAsync();
            using var body = new MemoryStream();
            await call.Request.InputStream.CopyToAsync(body);
            call.Response.StatusCode = 200;
            call.Response.Close();
            bodies[call.Request.Url!.AbsolutePath] = Encoding.Latin1.GetString(body.ToArray());
        }
        return bodies;
    }
}
