using System.Diagnostics;
using System.Globalization;
using EcoLora.TestKit;
using StackExchange.Redis;

namespace EcoLora.DaprTestKit;

/// <summary>
/// A redis-server of the test's own: a free port of 127.0.0.1, its data in a temporary folder, every write on disk before it is answered. Where redis-server
/// is not installed, the test is reported as skipped.
/// </summary>
public sealed class RedisServer : IAsyncDisposable
{
    /// <summary>Why a test that needs Redis is skipped.</summary>
    public const string SkipReason = "needs redis-server (Debian: apt-get install redis-server)";

    private readonly TemporaryFolder folder = new();
    private Process? process;
    private ConnectionMultiplexer? connection;

    private RedisServer()
    {
    }

    /// <summary>Whether redis-server is there.</summary>
    public static bool IsInstalled => Executable is not null;

    private static string? Executable { get; } = InstalledProgram.Find("redis-server");

    /// <summary>The port, the same after a restart.</summary>
    public int Port { get; } = FreePort.Next();

    /// <summary>Host and port as component files want them.</summary>
    public string Endpoint => $"127.0.0.1:{Port}";

    /// <summary>Starts one and waits until it answers.</summary>
    public static async Task<RedisServer> StartAsync()
    {
        Xunit.Assert.SkipUnless(IsInstalled, SkipReason);
        RedisServer server = new();
        await server.StartAgainAsync();
        return server;
    }

    /// <summary>Starts the process, on the data that an earlier one has left.</summary>
    public async Task StartAgainAsync()
    {
        ProcessStartInfo start = new(Executable!) { RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (string argument in new[]
        {
            "--port", Port.ToString(CultureInfo.InvariantCulture), "--bind", "127.0.0.1", "--dir", folder.Path, "--appendonly", "yes",
            "--appendfsync", "always", "--save", "", "--daemonize", "no", "--loglevel", "warning",
        }) start.ArgumentList.Add(argument);
        process = Process.Start(start)!;
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        await Eventually.TrueAsync(AnswersAsync, "redis-server answers");
    }

    /// <summary>kill -9.</summary>
    public async Task KillAsync()
    {
        connection?.Dispose();
        connection = null;
        if (process is null) return;
        if (!process.HasExited) process.Kill();
        await process.WaitForExitAsync();
        process.Dispose();
        process = null;
    }

    /// <summary>One command, as in redis-cli; arguments are text, numbers or byte arrays.</summary>
    public async Task<RedisResult> CallAsync(string command, params object[] arguments)
    {
        ConfigurationOptions options = new() { AbortOnConnectFail = true, ConnectTimeout = 5000 };
        options.EndPoints.Add(Endpoint);
        connection ??= await ConnectionMultiplexer.ConnectAsync(options);
        return await connection.GetDatabase().ExecuteAsync(command, arguments);
    }

    /// <summary>The payloads in a topic's stream, oldest first: exactly the bytes on the broker.</summary>
    public async Task<IReadOnlyList<byte[]>> StreamAsync(string topic)
    {
        List<byte[]> payloads = [];
        foreach (RedisResult entry in (RedisResult[])await CallAsync("XRANGE", topic, "-", "+"))
        {
            RedisResult[] members = (RedisResult[])((RedisResult[])entry)[1];
            for (int i = 0; i + 1 < members.Length; i += 2)
                if ((string)members[i] == "data") payloads.Add((byte[])members[i + 1]);
        }
        return payloads;
    }

    /// <summary>How many messages of a topic are handed to a consumer group and not acknowledged.</summary>
    public async Task<long> PendingAsync(string topic, string group) => (long)((RedisResult[])await CallAsync("XPENDING", topic, group))[0];

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await KillAsync();
        folder.Dispose();
    }

    private async Task<bool> AnswersAsync()
    {
        if (process!.HasExited) throw new InvalidOperationException($"redis-server ended with {process.ExitCode}");
        // The client library takes five seconds to give up a server that does not listen yet.
        if (!await FreePort.AnswersAsync(Port)) return false;
        try
        {
            return (string)await CallAsync("PING") == "PONG";
        }
        catch (RedisException)
        {
            return false;
        }
    }
}
