using System.Globalization;
using StackExchange.Redis;

namespace EcoLora.DaprSidecar;

/// <summary>One change of a key.</summary>
/// <param name="Key">The key, without its prefix.</param>
/// <param name="Value">Null: the key is to be deleted.</param>
/// <param name="ETag">The version that is expected, as the app gave it.</param>
/// <param name="Concurrency">first-write, last-write, or empty.</param>
/// <param name="TtlSeconds">When the key is to go; below 1 for never, null for as it was.</param>
internal sealed record StateChange(string Key, byte[]? Value, string? ETag, string Concurrency, int? TtlSeconds)
{
    public bool HasETag => !string.IsNullOrEmpty(ETag);

    /// <summary>The version as the store compares it: 0 asks for none. A last-write asks for none, whatever ETag comes along; a deletion always asks.</summary>
    public string Version => !HasETag ? "0" : Value is null ? ETag! : Concurrency == "last-write" ? "0"
        : long.TryParse(ETag, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long version) ? version.ToString(CultureInfo.InvariantCulture)
        : throw new StateException(400, $"invalid etag value: expected a number, found {ETag}");
}

/// <summary>A value and its version; none where something else than this store wrote it.</summary>
internal sealed record StateValue(byte[] Data, string? ETag);

/// <summary>A change that the store did not make, and the HTTP status by which an app learns of it.</summary>
internal sealed class StateException(int status, string message, Exception? inner = null) : IOException(message, inner)
{
    public int Status => status;
}

/// <summary>
/// state.redis: a hash with <c>data</c> and <c>version</c> a key. Its habits, read from the source: an ETag for a key that is absent is let pass. A key that was
/// once written with first-write has a member <c>first-write</c>, and from then on every write needs its ETag: without one even a plain save fails. A refused
/// write is a 409 only if it came with an ETag, else a 500; and with an ETag any failure is a 409, even that Redis is away. A transaction is a MULTI of single
/// scripts: those that are refused leave the others standing, and first-write means nothing in it.
/// </summary>
internal sealed class RedisStateStore : IDisposable
{
    private const string Set = """
        local version = redis.pcall('HGET', KEYS[1], 'version')
        if type(version) == 'table' then
          redis.call('DEL', KEYS[1])
          version = false
        end
        local bound = redis.pcall('HGET', KEYS[1], 'first-write')
        if version and version ~= '' and version ~= ARGV[1] and (bound or ARGV[1] ~= '0') then
          return redis.error_reply('failed to set key ' .. KEYS[1])
        end
        redis.call('HSET', KEYS[1], 'data', ARGV[2])
        if ARGV[3] == 'first-write' then redis.call('HSET', KEYS[1], 'first-write', 0) end
        return redis.call('HINCRBY', KEYS[1], 'version', 1)
        """;

    private const string Delete = """
        local version = redis.pcall('HGET', KEYS[1], 'version')
        if version and type(version) ~= 'table' and version ~= '' and version ~= ARGV[1] and ARGV[1] ~= '0' then
          return redis.error_reply('failed to delete ' .. KEYS[1])
        end
        return redis.call('DEL', KEYS[1])
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

    public static async Task<RedisStateStore> OpenAsync(Component component, string appId) => new(component, await RedisConnection.OpenAsync(component), appId);

    public async Task<StateValue?> GetAsync(string key)
    {
        try
        {
            // In one call, as the component does: between two of them another sidecar could make the key.
            RedisResult[] members = (RedisResult[])await connection.CallAsync("HGETALL", prefix + key);
            if (members.Length == 0) return null;
            var values = members.Chunk(2).ToDictionary(member => (string)member[0], member => member[1]);
            return values.TryGetValue("data", out RedisResult? data) && values.TryGetValue("version", out RedisResult? version)
                ? new((byte[])data, (string)version)
                : throw new StateException(500, "required hash field 'data' or 'version' was not found");
        }
        catch (RedisServerException error) when (error.Message.StartsWith("WRONGTYPE", StringComparison.Ordinal))
        {
            RedisResult plain = await connection.CallAsync("GET", prefix + key);
            return plain.IsNull ? null : new((byte[])plain, null);
        }
    }

    /// <summary>Makes one change; <see cref="StateException"/> where it is refused or Redis is away.</summary>
    public async Task ChangeAsync(StateChange change)
    {
        (string, object[])[] commands = Commands(change, change.Concurrency);
        try
        {
            foreach ((string command, object[] arguments) in commands) await connection.CallAsync(command, arguments);
        }
        catch (Exception error) when (error is RedisException or TimeoutException)
        {
            throw change.HasETag || change.Value is null
                ? new StateException(409, $"possible etag mismatch. error from state store: {error.Message}", error)
                : new StateException(500, $"failed to set key {prefix}{change.Key}: {error.Message}", error);
        }
    }

    /// <summary>Makes those of the changes that are not refused; <see cref="StateException"/> where any is.</summary>
    public async Task TransactAsync(IEnumerable<StateChange> changes)
    {
        try
        {
            await connection.TransactAsync([.. changes.SelectMany(change => Commands(change, concurrency: ""))]);
        }
        catch (Exception error) when (error is RedisException or TimeoutException)
        {
            throw new StateException(500, error.Message, error);
        }
    }

    public void Dispose() => connection.Dispose();

    private (string Command, object[] Arguments)[] Commands(StateChange change, string concurrency)
    {
        string key = prefix + change.Key;
        if (change.Value is null) return [("EVAL", [Delete, 1, key, change.Version])];
        (string, object[]) set = ("EVAL", [Set, 1, key, change.Version, change.Value, concurrency]);
        return change.TtlSeconds switch
        {
            null => [set],
            > 0 => [set, ("EXPIRE", [key, change.TtlSeconds])],
            _ => [set, ("PERSIST", [key])],
        };
    }
}
