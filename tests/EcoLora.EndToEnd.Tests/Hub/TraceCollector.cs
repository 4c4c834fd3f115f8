using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Text;
using EcoLora.DaprTestKit;

namespace EcoLora.EndToEnd.Tests.Hub;

/// <summary>A span as it came by OTLP; times in nanoseconds.</summary>
internal sealed record ReceivedSpan(string Service, string Name, string Trace, string Parent, ulong Start, ulong End);

/// <summary>Takes traces by OTLP over HTTP, and reads of them what a test asks about.</summary>
internal sealed class TraceCollector : IDisposable
{
    private readonly HttpListener _listener = new();
    private readonly ConcurrentQueue<ReceivedSpan> _spans = new();

    public TraceCollector()
    {
        _listener.Prefixes.Add(Endpoint);
        _listener.Start();
        _ = TakeAsync();
    }

    /// <summary>OTEL_EXPORTER_OTLP_ENDPOINT.</summary>
    public string Endpoint { get; } = string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{FreePort.Next()}/");

    /// <summary>What has come so far.</summary>
    public IReadOnlyCollection<ReceivedSpan> Spans => _spans;

    public void Dispose() => _listener.Close();

    private async Task TakeAsync()
    {
        while (true)
        {
            HttpListenerContext call;
            try
            {
                call = await _listener.GetContextAsync();
            }
            catch (Exception closed) when (closed is HttpListenerException or ObjectDisposedException)
            {
                return;
            }
            using var body = new MemoryStream();
            await call.Request.InputStream.CopyToAsync(body);
            // Metrics come here too.
            if (call.Request.Url!.AbsolutePath == "/v1/traces")
                foreach (ReceivedSpan span in Read(body.ToArray())) _spans.Enqueue(span);
            call.Response.Close();
        }
    }

    /// <summary>ExportTraceServiceRequest → resource_spans (1) → resource (1) with attributes (1), scope_spans (2) → spans (2).</summary>
    private static IEnumerable<ReceivedSpan> Read(ReadOnlyMemory<byte> request)
    {
        foreach (ReadOnlyMemory<byte> ofResource in Fields(request, 1))
        {
            string service = Fields(Fields(ofResource, 1).Single(), 1).Where(attribute => Text(attribute, 1) == "service.name").Select(attribute => Text(Fields(attribute, 2).Single(), 1)).Single();
            foreach (ReadOnlyMemory<byte> span in Fields(ofResource, 2).SelectMany(scope => Fields(scope, 2)))
                yield return new ReceivedSpan(service, Text(span, 5), Hex(span, 1), Hex(span, 4), Number(span, 7), Number(span, 8));
        }
    }

    private static string Text(ReadOnlyMemory<byte> message, int field) => Encoding.UTF8.GetString(Fields(message, field).Single().Span);

    private static string Hex(ReadOnlyMemory<byte> message, int field) => Fields(message, field).Select(value => Convert.ToHexStringLower(value.Span)).SingleOrDefault("");

    private static ulong Number(ReadOnlyMemory<byte> message, int field) => BitConverter.ToUInt64(Fields(message, field).Single().Span);

    /// <summary>A protobuf message's values of a field: what has a length, or eight bytes.</summary>
    private static List<ReadOnlyMemory<byte>> Fields(ReadOnlyMemory<byte> message, int field)
    {
        var values = new List<ReadOnlyMemory<byte>>();
        for (int at = 0; at < message.Length;)
        {
            ulong tag = Varint(message.Span, ref at);
            int length = (tag & 7) switch
            {
                0 => VarintLength(message.Span, at),
                1 => 8,
                2 => (int)Varint(message.Span, ref at),
                _ => 4,
            };
            if ((int)(tag >> 3) == field) values.Add(message.Slice(at, length));
            at += length;
        }
        return values;
    }

    private static int VarintLength(ReadOnlySpan<byte> bytes, int at)
    {
        int end = at;
        Varint(bytes, ref end);
        return end - at;
    }

    private static ulong Varint(ReadOnlySpan<byte> bytes, ref int at)
    {
        ulong value = 0;
        for (int shift = 0; ; shift += 7)
        {
            byte next = bytes[at++];
            value |= (ulong)(next & 0x7f) << shift;
            if (next < 0x80) return value;
        }
    }
}
