using System.Text.Json;
using StackExchange.Redis;

namespace EcoLora.DaprSidecar;

/// <summary>Takes Redis' nested answers to stream commands apart.</summary>
internal static class StreamReply
{
    /// <summary>[[stream, entries]] → entries.</summary>
    public static RedisResult OfFirstStream(RedisResult answer) => ((RedisResult[])((RedisResult[])answer)[0])[1];

    /// <summary>[[id, [member, value, …]], …]; an entry that was trimmed away has no members and is left out.</summary>
    public static List<BrokerMessage> Messages(string topic, RedisResult entries)
    {
        List<BrokerMessage> messages = [];
        foreach (RedisResult entry in (RedisResult[])entries)
        {
            if (entry.IsNull) continue;
            RedisResult[] pair = (RedisResult[])entry;
            if (pair[1].IsNull) continue;
            RedisResult[] members = (RedisResult[])pair[1];
            byte[] data = [];
            IReadOnlyDictionary<string, string> metadata = new Dictionary<string, string>();
            for (int i = 0; i + 1 < members.Length; i += 2)
            {
                if ((string)members[i] == "data") data = (byte[])members[i + 1];
                else if ((string)members[i] == "metadata") metadata = Metadata((byte[])members[i + 1]);
            }
            messages.Add(new(topic, (string)pair[0], data, metadata));
        }
        return messages;
    }

    private static Dictionary<string, string> Metadata(byte[] json)
    {
        try
        {
            return JsonSerializer.Deserialize<Dictionary<string, string>>(json) ?? [];
        }
        catch (JsonException)
        {
            return [];
        }
    }
}
