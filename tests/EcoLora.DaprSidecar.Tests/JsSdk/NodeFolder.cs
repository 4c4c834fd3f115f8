using System.Diagnostics;
using EcoLora.TestKit;

namespace EcoLora.DaprSidecar.Tests.JsSdk;

/// <summary>
/// The scripts beside this file in a temporary folder, with the packages that package-lock.json pins. Nothing is installed into the repository, and no
/// package's own script is run.
/// </summary>
internal sealed class NodeFolder : IDisposable
{
    public const string SkipReason = "needs node and npm (Debian: apt-get install nodejs npm)";

    /// <summary>What npm says when it cannot reach its registry; anything else is a failure.</summary>
    private static readonly string[] _unreachable =
        ["ENOTFOUND", "EAI_AGAIN", "ECONNREFUSED", "ECONNRESET", "ETIMEDOUT", "ENETUNREACH", "EHOSTUNREACH", "ERR_SOCKET_TIMEOUT", "ENOTCACHED"];

    private static readonly TimeSpan _patience = TimeSpan.FromMinutes(3);
    private readonly TemporaryFolder _folder = new();

    private NodeFolder()
    {
    }

    public static bool IsInstalled { get; } = new[] { "node", "npm" }.All(name => InstalledProgram.Find(name) is not null);

    public static string Sources { get; } = Path.Combine(Repository.Root, "tests", "EcoLora.DaprSidecar.Tests", "JsSdk");

    /// <summary>Installs the packages; a skipped test where node or npm is missing or the registry cannot be reached.</summary>
    public static async Task<NodeFolder> OpenAsync()
    {
        Assert.SkipUnless(IsInstalled, SkipReason);
        NodeFolder folder = new();
        foreach (string file in Directory.GetFiles(Sources).Where(f => f.EndsWith(".mjs") || f.EndsWith(".json")))
            File.Copy(file, folder._folder[Path.GetFileName(file)]);
        // The registry is asked first whether it is there: npm itself tries for minutes.
        (int ping, string answer) = await folder.RunAsync("npm", ["ping", "--fetch-retries=0", "--fetch-timeout=10000"], []);
        (int status, string output) = ping == 0 || !_unreachable.Any(answer.Contains)
            ? await folder.RunAsync("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--fetch-timeout=30000"], [])
            : (ping, answer);
        if (status == 0) return folder;
        folder.Dispose();
        string? reason = output.Split('\n').FirstOrDefault(line => _unreachable.Any(line.Contains));
        Assert.SkipWhen(reason is not null, $"needs the npm registry: {reason}");
        throw new InvalidOperationException($"npm ci: expected the packages of package-lock.json, found exit status {status}: {output}");
    }

    /// <summary>Runs a script to its end; its exit status and what it wrote, both streams.</summary>
    public Task<(int Status, string Output)> NodeAsync(string script, params (string Name, string Value)[] variables) =>
        RunAsync("node", [script], variables);

    public void Dispose() => _folder.Dispose();

    private async Task<(int Status, string Output)> RunAsync(string executable, string[] arguments, (string Name, string Value)[] variables)
    {
        ProcessStartInfo start = new(executable, arguments) { RedirectStandardOutput = true, RedirectStandardError = true, WorkingDirectory = _folder.Path };
        foreach ((string name, string value) in variables) start.Environment[name] = value;
        using Process process = Process.Start(start)!;
        Task<string>[] streams = [process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync()];
        try
        {
            await process.WaitForExitAsync().WaitAsync(_patience);
        }
        catch (TimeoutException)
        {
            process.Kill(entireProcessTree: true);
            await process.WaitForExitAsync();
        }
        return (process.ExitCode, string.Join('\n', await Task.WhenAll(streams)));
    }
}
