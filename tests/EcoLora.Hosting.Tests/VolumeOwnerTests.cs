using EcoLora.Messaging;
using EcoLora.TestKit;

namespace EcoLora.Hosting.Tests;

public sealed class VolumeOwnerTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly FolderStateStore _store;

    public VolumeOwnerTests() => _store = new FolderStateStore(new DurableFolder(_folder["store"]));

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void A_volume_is_one_process_s_until_it_lets_go()
    {
        string path = _folder["deep/volume"];
        using (VolumeOwner first = VolumeOwner.Lock(path))
        {
            Assert.Equal(path, first.Folder.Path);
            Assert.Equal($"ECOLORA_VOLUME {path}: expected a volume of this process alone, found it in use by another",
                Assert.Throws<ServiceInUseException>(() => VolumeOwner.Lock(path)).Message);
            VolumeOwner.Lock(_folder["another"]).Dispose();
        }
        VolumeOwner.Lock(path).Dispose();
    }

    [Fact]
    public async Task The_same_volume_claims_its_records_again_also_from_another_path()
    {
        using (VolumeOwner first = VolumeOwner.Lock(_folder["a"]))
        {
            await first.ClaimAsync("codec-a", _store, Cancellation);
            await first.ClaimAsync("codec-a", _store, Cancellation);
        }
        Directory.Move(_folder["a"], _folder["moved"]);
        using VolumeOwner moved = VolumeOwner.Lock(_folder["moved"]);
        await moved.ClaimAsync("codec-a", _store, Cancellation);
    }

    [Fact]
    public async Task Another_volume_does_not_get_the_records()
    {
        using VolumeOwner first = VolumeOwner.Lock(_folder["a"]), second = VolumeOwner.Lock(_folder["b"]);
        await first.ClaimAsync("codec-a", _store, Cancellation);
        string message = (await Assert.ThrowsAsync<ServiceInUseException>(() => second.ClaimAsync("codec-a", _store, Cancellation))).Message;
        Assert.Equal(
            $"app codec-a: expected volume {Id("a")} ({_folder["a"]}), to which its records in the state store belong, found {Id("b")} ({_folder["b"]}): "
            + "a second instance of this service, or its volume was lost", message);
        Assert.NotEqual(Id("a"), Id("b"));
        await first.ClaimAsync("codec-a", _store, Cancellation);
    }

    [Fact]
    public async Task Of_two_volumes_that_claim_at_once_the_first_to_write_has_the_records()
    {
        using VolumeOwner first = VolumeOwner.Lock(_folder["a"]), second = VolumeOwner.Lock(_folder["b"]);
        var overtaken = new OvertakenStore(_store, () => first.ClaimAsync("codec-a", _store, Cancellation));
        await Assert.ThrowsAsync<ServiceInUseException>(() => second.ClaimAsync("codec-a", overtaken, Cancellation));
        await first.ClaimAsync("codec-a", _store, Cancellation);
    }

    [Fact]
    public async Task A_volume_that_was_lost_is_noticed()
    {
        using (VolumeOwner first = VolumeOwner.Lock(_folder["a"])) await first.ClaimAsync("codec-a", _store, Cancellation);
        Directory.Delete(_folder["a"], recursive: true);
        using VolumeOwner empty = VolumeOwner.Lock(_folder["a"]);
        await Assert.ThrowsAsync<ServiceInUseException>(() => empty.ClaimAsync("codec-a", _store, Cancellation));
    }

    private string Id(string volume) => File.ReadAllText(Path.Combine(_folder[volume], "volume.id"));

    /// <summary>A store in which somebody else writes after the first reading.</summary>
    private sealed class OvertakenStore(IStateStore store, Func<Task> overtake) : IStateStore
    {
        private bool _isOvertaken;

        public async Task<StoredValue?> ReadAsync(string key, CancellationToken cancellation)
        {
            StoredValue? value = await store.ReadAsync(key, cancellation);
            if (!_isOvertaken) await overtake();
            _isOvertaken = true;
            return value;
        }

        public Task<IReadOnlyList<StoredValue?>> ReadManyAsync(IReadOnlyList<string> keys, CancellationToken cancellation) => store.ReadManyAsync(keys, cancellation);

        public Task<bool> TryWriteAsync(string key, ReadOnlyMemory<byte> value, string? etag, CancellationToken cancellation) =>
            store.TryWriteAsync(key, value, etag, cancellation);

        public Task DeleteAsync(string key, CancellationToken cancellation) => store.DeleteAsync(key, cancellation);
    }
}
