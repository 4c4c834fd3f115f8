using System.CommandLine;
using System.Diagnostics;

namespace EcoLora.Local.Hub;

/// <summary><c>ecolora up</c>: the whole system on this machine, by the Dapr CLI.</summary>
internal static class UpCommand
{
    private const string Details =
        "Runs dapr.yaml: scheduler, aggregator, and two sites with a codec and a trainer each, every service beside its daprd.\n"
        + "Needed: the Dapr CLI with daprd (dapr init --slim), and the servers at the addresses in components/BROKER. Ctrl-C stops everything;\n"
        + "what is under way goes on when it is started again. Submit runs with: ecolora submit";

    public static Command Create()
    {
        Option<string?> broker = Arguments.Choice("--broker", LocalHub.Brokers, "Whose components to use. [default: redis]");
        var command = new DocumentedCommand("up", "Start the four services on this machine, with Dapr.", Details, "ecolora up", "ecolora up --broker rabbitmq") { broker };
        command.SetAction(async (parsed, cancellation) =>
        {
            string root = LocalHub.FindRoot(AppContext.BaseDirectory);
            string home = Environment.GetFolderPath(Environment.SpecialFolder.UserProfile, Environment.SpecialFolderOption.DoNotVerify);
            var hub = new LocalHub(root, Environment.GetEnvironmentVariable("PATH") ?? "", home, LocalHub.AnswersAsync);
            (string dapr, string file) = await hub.PrepareAsync(parsed.GetValue(broker) ?? LocalHub.Brokers[0]);
            using Process process = Process.Start(new ProcessStartInfo(dapr, ["run", "-f", file]) { WorkingDirectory = root })!;
            // Ctrl-C reaches the CLI too, which stops the services; this waits for it.
            await process.WaitForExitAsync(CancellationToken.None);
            cancellation.ThrowIfCancellationRequested();
            return process.ExitCode;
        });
        return command;
    }
}
