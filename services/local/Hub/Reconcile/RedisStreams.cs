using System.Globalization;
using EcoLora.Messaging;
using StackExchange.Redis;

namespace EcoLora.Local.Hub;

/// <summary>The topics on Redis: a stream each, of which an entry is a message. Its member <c>data</c> is the payload, as Dapr's pubsub.redis has it.</summary>
internal sealed class RedisStreams : IDisposable
{
    private const string Password = "ECOLORA_REDIS_PASSWORD";
    private const int AtOnce = 100;

    private readonly ConnectionMultiplexer _redis;
    private readonly string _server;

    private RedisStreams(ConnectionMultiplexer redis, string server) => (_redis, _server) = (redis, server);

    /// <summary>Said in the help.</summary>
    public static string PasswordDetails => $"Redis' password, where it has one, is read from {Password}.";

    /// <summary>Connects.</summary>
    /// <exception cref="IOException">No Redis answers there, or it wants another password.</exception>
    public static RedisStreams Open(string server)
    {
        var options = new ConfigurationOptions { AbortOnConnectFail = true, ConnectTimeout = 5000, SyncTimeout = 30_000, Password = Environment.GetEnvironmentVariable(Password) };
        try
        {
            options.EndPoints.Add(server);
            return new RedisStreams(ConnectionMultiplexer.Connect(options), server);
        }
        catch (RedisConnectionException failure)
        {
            throw new IOException($"Redis at {server}: {failure.Message.Split('\n')[0]}", failure);
        }
    }

    /// <summary>Reads a stream up to the entry that is its newest now.</summary>
    /// <exception cref="IOException">Redis does not answer, or the stream is none.</exception>
    public BrokerCount Read(string topic, Action<StoredMessage> take)
    {
        try
        {
            ITransaction both = _redis.GetDatabase().CreateTransaction();
            Task<RedisResult> length = both.ExecuteAsync("XLEN", topic), newest = both.ExecuteAsync("XREVRANGE", topic, "+", "-", "COUNT", 1);
            both.Execute();
            string? last = ((RedisResult[])newest.Result) is [var entry] ? (string)((RedisResult[])entry)[0] : null;
            long read = last is null ? 0 : Read(topic, last, take);
            return new BrokerCount(topic, "XLEN", (long)length.Result, read, (long)length.Result == read);
        }
        catch (Exception failure) when (failure is RedisException or TimeoutException or AggregateException)
        {
            throw new IOException($"Redis at {_server}: {topic}: {failure.GetBaseException().Message}", failure);
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _redis.Dispose();

    private long Read(string topic, string last, Action<StoredMessage> take)
    {
        long read = 0;
        for (string next = "-"; ;)
        {
            RedisResult[] entries = (RedisResult[])_redis.GetDatabase().Execute("XRANGE", topic, next, last, "COUNT", AtOnce);
            foreach (RedisResult entry in entries) take(MessageOf(topic, (RedisResult[])entry));
            read += entries.Length;
            if (entries.Length < AtOnce) return read;
            next = After((string)((RedisResult[])entries[^1])[0]);
        }
    }

    private static StoredMessage MessageOf(string topic, RedisResult[] entry)
    {
        byte[] payload = [];
        int beside = 0;
        RedisResult[] members = (RedisResult[])entry[1];
        for (int i = 0; i + 1 < members.Length; i += 2)
        {
            byte[] name = (byte[])members[i], value = (byte[])members[i + 1];
            beside += name.Length;
            if (name.AsSpan().SequenceEqual("data"u8)) payload = value;
            else beside += value.Length;
        }
        return new StoredMessage(topic, 0, beside, payload);
    }

    /// <summary>The smallest id behind one: <c>milliseconds-number</c>.</summary>
    private static string After(string id)
    {
        string[] parts = id.Split('-');
        return string.Create(CultureInfo.InvariantCulture, $"{parts[0]}-{ulong.Parse(parts[1], CultureInfo.InvariantCulture) + 1}");
    }
}
