using System.Diagnostics;
using System.Globalization;
using EcoLora.TestKit;
using RabbitMQ.Client;
using RabbitMQ.Client.Exceptions;

namespace EcoLora.DaprTestKit;

/// <summary>
/// A rabbitmq-server of the test's own, with the epmd that Erlang nodes need: free ports of 127.0.0.1, its data in a temporary folder. It takes some seconds
/// to start, so the tests of a project share one. Where rabbitmq-server is not installed, the test is reported as skipped.
/// </summary>
public sealed class RabbitServer : IAsyncDisposable
{
    /// <summary>Why a test that needs RabbitMQ is skipped.</summary>
    public const string SkipReason = "needs rabbitmq-server (Debian: apt-get install rabbitmq-server)";

    /// <summary>The server itself: what is on the PATH changes to the user rabbitmq first.</summary>
    private const string Executable = "/usr/lib/rabbitmq/bin/rabbitmq-server";

    private readonly TemporaryFolder _folder = new();
    private readonly int _distributionPort = FreePort.Next();
    private readonly int _epmdPort = FreePort.Next();
    private Process? _epmd;
    private Process? _process;
    private readonly List<string> _output = [];
    private IConnection? _connection;

    private RabbitServer(bool isManaged) => ManagementPort = isManaged ? FreePort.Next() : null;

    /// <summary>Whether rabbitmq-server is there.</summary>
    public static bool IsInstalled { get; } = File.Exists(Executable);

    /// <summary>The port, the same after a restart.</summary>
    public int Port { get; } = FreePort.Next();

    /// <summary>Where the management plugin answers; null where it is not on.</summary>
    public int? ManagementPort { get; }

    /// <summary>Host and port as component files want them; the user is guest.</summary>
    public string Endpoint => $"127.0.0.1:{Port}";

    private string Output
    {
        get
        {
            lock (_output) return string.Join('\n', _output.TakeLast(20));
        }
    }

    /// <summary>Starts one and waits until it answers.</summary>
    /// <param name="isManaged">Whether the management plugin, which counts, is on.</param>
    public static async Task<RabbitServer> StartAsync(bool isManaged = false)
    {
        Xunit.Assert.SkipUnless(IsInstalled, SkipReason);
        RabbitServer server = new(isManaged);
        if (isManaged) File.WriteAllText(server._folder["plugins"], "[rabbitmq_management].\n");
        await server.StartAgainAsync();
        return server;
    }

    /// <summary>Starts the process, on the data that an earlier one has left.</summary>
    public async Task StartAgainAsync()
    {
        // In the foreground: left to itself the node starts a daemon that would outlive the test.
        _epmd ??= Start("epmd", "-port", _epmdPort.ToString(CultureInfo.InvariantCulture), "-address", "127.0.0.1");
        await Eventually.TrueAsync(() => FreePort.AnswersAsync(_epmdPort), "epmd answers");
        _process = Start(Executable, "-noinput");
        await Eventually.TrueAsync(AnswersAsync, "rabbitmq-server answers", TimeSpan.FromMinutes(3), () => Output);
    }

    /// <summary>kill -9 of the node and the processes that it has started.</summary>
    public async Task KillAsync()
    {
        await DisconnectAsync();
        await KillAsync(_process);
        _process = null;
    }

    /// <summary>Runs with a channel of its own; what the broker refuses is an <see cref="OperationInterruptedException"/>.</summary>
    public async Task<T> UseAsync<T>(Func<IChannel, Task<T>> act)
    {
        ArgumentNullException.ThrowIfNull(act);
        ConnectionFactory factory = new() { HostName = "127.0.0.1", Port = Port, AutomaticRecoveryEnabled = false };
        _connection ??= await factory.CreateConnectionAsync();
        await using IChannel channel = await _connection.CreateChannelAsync();
        return await act(channel);
    }

    /// <summary>Makes a queue that gets whatever comes to a topic from now on, as an app's would. The exchange is made as a loss-free component makes it.</summary>
    public Task BindAsync(string topic, string queue) => UseAsync(async channel =>
    {
        await channel.ExchangeDeclareAsync(topic, ExchangeType.Fanout, durable: true);
        await channel.QueueDeclareAsync(queue, durable: true, exclusive: false, autoDelete: false);
        await channel.QueueBindAsync(queue, topic, "");
        return true;
    });

    /// <summary>Takes all payloads out of a queue, oldest first: exactly the bytes on the broker.</summary>
    public Task<List<byte[]>> TakeAsync(string queue) => UseAsync(async channel =>
    {
        List<byte[]> payloads = [];
        while (await channel.BasicGetAsync(queue, autoAck: true) is { } message) payloads.Add(message.Body.ToArray());
        return payloads;
    });

    /// <summary>How many messages wait in a queue, those that a consumer has in hand left out; null where there is no such queue.</summary>
    public async Task<uint?> WaitingAsync(string queue)
    {
        try
        {
            return await UseAsync(async channel => (await channel.QueueDeclarePassiveAsync(queue)).MessageCount);
        }
        catch (OperationInterruptedException error) when (error.ShutdownReason?.ReplyCode == Constants.NotFound)
        {
            return null;
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await KillAsync();
        await KillAsync(_epmd);
        _folder.Dispose();
    }

    private Process Start(string executable, params string[] arguments)
    {
        ProcessStartInfo start = new(executable, arguments) { RedirectStandardOutput = true, RedirectStandardError = true, RedirectStandardInput = true };
        foreach ((string name, string value) in new[]
        {
            ("HOME", _folder.Path), ("RABBITMQ_MNESIA_BASE", _folder["data"]), ("RABBITMQ_LOG_BASE", _folder["log"]), ("RABBITMQ_PID_FILE", _folder["pid"]),
            ("RABBITMQ_ENABLED_PLUGINS_FILE", _folder["plugins"]), ("RABBITMQ_CONFIG_FILE", _folder["none"]), ("RABBITMQ_CONF_ENV_FILE", "/dev/null"),
            ("RABBITMQ_NODENAME", "ecolora@localhost"), ("RABBITMQ_NODE_IP_ADDRESS", "127.0.0.1"),
            ("RABBITMQ_NODE_PORT", Port.ToString(CultureInfo.InvariantCulture)),
            ("RABBITMQ_DIST_PORT", _distributionPort.ToString(CultureInfo.InvariantCulture)),
            // {ip,"127.0.0.1"} in numbers: the scripts on the way take quotes off.
            ("RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS", "-kernel inet_dist_use_interface {127,0,0,1}" + (ManagementPort is { } port
                ? string.Create(CultureInfo.InvariantCulture, $" -rabbitmq_management tcp_config [{{port,{port}}},{{ip,[49,50,55,46,48,46,48,46,49]}}]") : "")),
            ("ERL_EPMD_ADDRESS", "127.0.0.1"), ("ERL_EPMD_PORT", _epmdPort.ToString(CultureInfo.InvariantCulture)),
            // The script becomes the node; else it stays in front of it and would be all that is killed.
            ("RABBITMQ_ALLOW_INPUT", "1"),
        }) start.Environment[name] = value;
        Process process = Process.Start(start)!;
        process.OutputDataReceived += (_, line) => Keep(line.Data);
        process.ErrorDataReceived += (_, line) => Keep(line.Data);
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        return process;
    }

    private void Keep(string? line)
    {
        if (line is null) return;
        lock (_output) _output.Add(line);
    }

    private static async Task KillAsync(Process? process)
    {
        if (process is null) return;
        if (!process.HasExited) process.Kill(entireProcessTree: true);
        await process.WaitForExitAsync();
        process.Dispose();
    }

    private async Task DisconnectAsync()
    {
        if (_connection is not { } connection) return;
        _connection = null;
        await connection.AbortAsync(TimeSpan.FromSeconds(1));
        await connection.DisposeAsync();
    }

    private async Task<bool> AnswersAsync()
    {
        if (_process!.HasExited) throw new InvalidOperationException($"rabbitmq-server ended with {_process.ExitCode}: {Output}");
        if (!await FreePort.AnswersAsync(Port)) return false;
        try
        {
            return await UseAsync(_ => Task.FromResult(true));
        }
        catch (BrokerUnreachableException)
        {
            return false;
        }
    }
}
