namespace EcoLora.Messaging.Tests;

public sealed class FolderStateStoreTests : StateStoreConformance, IDisposable
{
    private readonly string _path = Directory.CreateTempSubdirectory("folder-state-").FullName;

    [Fact]
    public async Task Another_process_finds_what_was_written()
    {
        await (await OpenAsync()).TryWriteAsync("runs.1", "x"u8.ToArray(), null, TestContext.Current.CancellationToken);
        Assert.Equal("x"u8.ToArray(), (await (await OpenAsync()).ReadAsync("runs.1", TestContext.Current.CancellationToken))!.Value.ToArray());
    }

    public void Dispose() => Directory.Delete(_path, recursive: true);

    protected override Task<IStateStore> OpenAsync() => Task.FromResult<IStateStore>(new FolderStateStore(new DurableFolder(_path)));
}
