using StackExchange.Redis;

namespace EcoLora.DaprSidecar;

/// <summary>One change of a key. An empty or absent ETag asks nothing of the version.</summary>
internal sealed record StateChange(string Key, byte[]? Value, string? ETag, bool FirstWrite, int? TtlSeconds);

/// <summary>A value and its version.</summary>
internal sealed record StateValue(byte[] Data, string ETag);

/// <summary>
/// state.redis: a hash with <c>data</c> and <c>version</c> a key. A change is one script, so it is atomic; all changes of a transaction happen or none.
/// An ETag for a key that is absent is let pass, as the component does.
/// </summary>
internal sealed class RedisStateStore : IDisposable
{
    private const string Script = """
        for i, key in ipairs(KEYS) do
          local etag, first = ARGV[i * 5 - 3], ARGV[i * 5 - 2]
          local version = redis.call('HGET', key, 'version')
          if version then
            if etag ~= '' and etag ~= version then return i end
            if etag == '' and first == '1' then return i end
          end
        end
        for i, key in ipairs(KEYS) do
          local kind, ttl = ARGV[i * 5 - 4], ARGV[i * 5 - 1]
          if kind == 'delete' then
            redis.call('DEL', key)
          else
            redis.call('HSET', key, 'data', ARGV[i * 5])
            redis.call('HINCRBY', key, 'version', 1)
            if ttl ~= '' then redis.call('EXPIRE', key, ttl) end
          end
        end
        return 0
        """;

    private readonly RedisConnection connection;
    private readonly string prefix;

    private RedisStateStore(Component component, RedisConnection connection, string appId)
    {
        Component = component;
        this.connection = connection;
        prefix = (component["keyPrefix"] ?? "appid") switch
        {
            "appid" => appId + "||",
            "name" => component.Name + "||",
            "none" => "",
            string other => other + "||",
        };
    }

    public Component Component { get; }

    public RedisConnection Connection => connection;

    public static async Task<RedisStateStore> OpenAsync(Component component, string appId) => new(component, await RedisConnection.OpenAsync(component), appId);

    public async Task<StateValue?> GetAsync(string key)
    {
        RedisResult[] values = (RedisResult[])await connection.CallAsync("HMGET", prefix + key, "data", "version");
        return values[0].IsNull ? null : new((byte[])values[0], (string)values[1]);
    }

    /// <summary>Null when all changes are made; else the first that could not be, and none is made.</summary>
    public async Task<StateChange?> ChangeAsync(IReadOnlyList<StateChange> changes)
    {
        if (changes.Count == 0) return null;
        List<object> arguments = [Script, changes.Count, .. changes.Select(c => (object)(prefix + c.Key))];
        foreach (StateChange change in changes)
        {
            arguments.AddRange([change.Value is null ? "delete" : "upsert", change.ETag ?? "", change.FirstWrite ? "1" : "0",
                change.TtlSeconds?.ToString(System.Globalization.CultureInfo.InvariantCulture) ?? "", change.Value ?? []]);
        }
        int failed = (int)await connection.CallAsync("EVAL", [.. arguments]);
        return failed == 0 ? null : changes[failed - 1];
    }

    public void Dispose() => connection.Dispose();
}
