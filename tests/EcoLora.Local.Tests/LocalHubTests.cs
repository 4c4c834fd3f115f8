using EcoLora.Local.Hub;
using EcoLora.TestKit;

namespace EcoLora.Local.Tests;

/// <summary>What <c>ecolora up</c> asks for, in the order in which one installs it.</summary>
public sealed class LocalHubTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task What_is_missing_is_named_with_how_to_get_it()
    {
        Assert.Contains("install/install.sh", await RefusalAsync("redis"), StringComparison.Ordinal);
        Give("path/dapr");
        Assert.Equal($"{_folder["home/.dapr/bin/daprd"]}: expected Dapr's sidecar, found none; install it: dapr init --slim", await RefusalAsync("redis"));
        Give("home/.dapr/bin/daprd");
        Assert.Contains("expected redis at localhost:6379, found nobody there", await RefusalAsync("redis"), StringComparison.Ordinal);
        Assert.Contains("expected rabbitmq at localhost:5672, found nobody there", await RefusalAsync("rabbitmq", 6379), StringComparison.Ordinal);
        Assert.Contains("expected kafka at localhost:9092, found nobody there", await RefusalAsync("kafka", 6379), StringComparison.Ordinal);
    }

    [Fact]
    public async Task With_all_there_the_run_file_is_the_brokers()
    {
        Give("path/dapr");
        Give("home/.dapr/bin/daprd");
        (string dapr, string file) = await Hub(6379).PrepareAsync("redis");
        Assert.Equal((_folder["path/dapr"], Path.Combine(Repository.Root, "dapr.yaml")), (dapr, file));

        // In a copy, since it is written beside the original.
        Directory.CreateDirectory(_folder["components"]);
        File.CreateSymbolicLink(_folder["components/rabbitmq"], Path.Combine(Repository.Root, "components", "rabbitmq"));
        File.Copy(Path.Combine(Repository.Root, "dapr.yaml"), _folder["dapr.yaml"]);
        Assert.Equal(_folder.Path, LocalHub.FindRoot(_folder["components"]));
        (_, file) = await new LocalHub(_folder.Path, _folder["path"], _folder["home"], (_, _) => Task.FromResult(true)).PrepareAsync("rabbitmq");
        string text = File.ReadAllText(file);
        Assert.Contains("- ../components/rabbitmq\n", text, StringComparison.Ordinal);
        Assert.DoesNotContain("components/redis", text, StringComparison.Ordinal);
        Assert.Equal(6, text.Split("appDirPath: ..\n").Length - 1);
    }

    private void Give(string file)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(_folder[file])!);
        File.WriteAllText(_folder[file], "");
    }

    private LocalHub Hub(params int[] answering) => new(Repository.Root, $"/nowhere:{_folder["path"]}", _folder["home"], (_, port) => Task.FromResult(answering.Contains(port)));

    private async Task<string> RefusalAsync(string broker, params int[] answering) =>
        (await Assert.ThrowsAsync<ArgumentException>(() => Hub(answering).PrepareAsync(broker))).Message;
}
