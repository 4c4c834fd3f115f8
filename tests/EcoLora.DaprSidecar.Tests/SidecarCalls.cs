using System.Net;
using System.Net.Http.Headers;
using EcoLora.DaprTestKit;

namespace EcoLora.DaprSidecar.Tests;

/// <summary>What these tests ask of a sidecar and of Redis again and again.</summary>
internal static class SidecarCalls
{
    public static Task<HttpStatusCode> PublishRawAsync(this SidecarProcess sidecar, string topic, byte[] payload, string more = "") =>
        sidecar.PublishAsync(topic, payload, "?metadata.rawPayload=true" + more);

    public static async Task<HttpStatusCode> PublishAsync(this SidecarProcess sidecar, string topic, byte[] payload, string query,
        string contentType = "application/octet-stream")
    {
        using ByteArrayContent content = new(payload);
        content.Headers.ContentType = MediaTypeHeaderValue.Parse(contentType);
        using HttpResponseMessage response = await sidecar.Client.PostAsync($"/v1.0/publish/pubsub/{topic}{query}", content,
            TestContext.Current.CancellationToken);
        return response.StatusCode;
    }

    /// <summary>Waits until a group has read so many messages of a topic and acknowledged all that it read.</summary>
    public static Task WaitUntilSettledAsync(this RedisServer redis, string topic, string group, int read) => Eventually.TrueAsync(async () =>
    {
        foreach (StackExchange.Redis.RedisResult entry in (StackExchange.Redis.RedisResult[])await redis.CallAsync("XINFO", "GROUPS", topic))
        {
            StackExchange.Redis.RedisResult[] fields = (StackExchange.Redis.RedisResult[])entry;
            Dictionary<string, string> fieldsByName = [];
            for (int i = 0; i + 1 < fields.Length; i += 2) fieldsByName[(string)fields[i]] = fields[i + 1].IsNull ? "" : (string)fields[i + 1];
            if (fieldsByName["name"] == group && fieldsByName["entries-read"] == $"{read}" && fieldsByName["pending"] == "0") return true;
        }
        return false;
    }, $"{group} has acknowledged {read} messages of {topic}");
}
