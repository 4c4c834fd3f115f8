using System.Net.Sockets;
using EcoLora.Hosting;

namespace EcoLora.Local.Hub;

/// <summary>What starting the services on this machine needs, and whether it is there.</summary>
/// <param name="root">The repository, where dapr.yaml and components/ are.</param>
/// <param name="path">Folders of programs, as in PATH.</param>
/// <param name="home">The user's folder, where <c>dapr init</c> puts daprd.</param>
/// <param name="answersAsync">Whether a server answers at host and port.</param>
internal sealed class LocalHub(string root, string path, string home, Func<string, int, Task<bool>> answersAsync)
{
    private const string RunFile = "dapr.yaml";

    /// <summary>The brokers that components/ has.</summary>
    public static IReadOnlyList<string> Brokers { get; } = ["redis", "rabbitmq", "kafka"];

    /// <summary>The folder with dapr.yaml above a program's.</summary>
    /// <exception cref="FileNotFoundException">There is none.</exception>
    public static string FindRoot(string folder)
    {
        for (DirectoryInfo? at = new(folder); at is not null; at = at.Parent)
            if (File.Exists(Path.Combine(at.FullName, RunFile))) return at.FullName;
        throw new FileNotFoundException($"expected {RunFile} above {folder}, found none: run ecolora from a clone of its repository");
    }

    /// <summary>Whether something listens there.</summary>
    public static async Task<bool> AnswersAsync(string host, int port)
    {
        using var client = new TcpClient();
        try
        {
            await client.ConnectAsync(host, port).WaitAsync(TimeSpan.FromSeconds(3));
            return true;
        }
        catch (Exception failure) when (failure is SocketException or TimeoutException)
        {
            return false;
        }
    }

    /// <summary>Checks what is needed, in the order in which one installs it, and makes the run file for the broker.</summary>
    /// <returns>The Dapr CLI and the run file.</returns>
    /// <exception cref="ArgumentException">Something is missing; the message says how to get it.</exception>
    public async Task<(string Dapr, string File)> PrepareAsync(string broker)
    {
        string dapr = path.Split(Path.PathSeparator).Select(folder => Path.Combine(folder, "dapr")).FirstOrDefault(File.Exists) ?? throw new ArgumentException(
            "dapr: expected the Dapr CLI on the PATH, found none; install it: "
            + "curl -fsSL https://raw.githubusercontent.com/dapr/cli/master/install/install.sh | /bin/bash   then: dapr init --slim");
        string daprd = Path.Combine(home, ".dapr", "bin", "daprd");
        if (!File.Exists(daprd)) throw new ArgumentException($"{daprd}: expected Dapr's sidecar, found none; install it: dapr init --slim");
        string components = Path.Combine(root, "components", broker);
        foreach (string file in (string[])["statestore.yaml", "pubsub.yaml"]) await CheckServerAsync(Path.Combine(components, file));
        return (dapr, broker == Brokers[0] ? Path.Combine(root, RunFile) : WriteRunFile(broker));
    }

    private async Task CheckServerAsync(string file)
    {
        (string type, string address) = Server(file);
        string[] parts = address.Split(':');
        if (await answersAsync(parts[0], int.Parse(parts[1], System.Globalization.CultureInfo.InvariantCulture))) return;
        string install = type switch
        {
            "redis" => "apt-get install redis-server   then: redis-server --appendonly yes --appendfsync always",
            "rabbitmq" => "apt-get install rabbitmq-server   then: service rabbitmq-server start",
            _ => "docker run -d -p 9092:9092 apache/kafka",
        };
        throw new ArgumentException($"{file}: expected {type} at {address}, found nobody there; start it, or change the address: {install}");
    }

    /// <summary>Kind and first address of the server behind a component.</summary>
    private static (string Type, string Address) Server(string file)
    {
        var component = (YamlMap)YamlText.ReadText(file, File.ReadAllText(file));
        var spec = (YamlMap)Member(component, "spec");
        var metadata = ((YamlList)Member(spec, "metadata")).Items.Cast<YamlMap>();
        YamlMap server = metadata.First(entry => ((YamlScalar)Member(entry, "name")).Text is "redisHost" or "hostname" or "brokers");
        return (((YamlScalar)Member(spec, "type")).Text.Split('.')[1], ((YamlScalar)Member(server, "value")).Text.Split(',')[0]);
    }

    private static YamlNode Member(YamlMap map, string key) => map.Entries.First(entry => entry.Key.Text == key).Value;

    /// <summary>dapr.yaml with another broker's components. Its paths are relative to where it lies, which is another folder.</summary>
    private string WriteRunFile(string broker)
    {
        string folder = Path.Combine(root, ".ecolora"), file = Path.Combine(folder, $"dapr-{broker}.yaml");
        Directory.CreateDirectory(folder);
        string text = File.ReadAllText(Path.Combine(root, RunFile));
        File.WriteAllText(file, text
            .Replace($"- components/{Brokers[0]}", $"- ../components/{broker}", StringComparison.Ordinal)
            .Replace("appDirPath: .", "appDirPath: ..", StringComparison.Ordinal));
        return file;
    }
}
