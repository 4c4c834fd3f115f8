using System.Text.Json.Serialization;
using EcoLora.Messaging;

namespace EcoLora.Hosting;

/// <summary>
/// Ties a service's state to its volume, so that a second process started by mistake changes nothing. On one machine the volume's lock decides; elsewhere the
/// state store does: the first volume that a service ran on owns its records for good, since they name files of that volume. There is no lease, whose end a
/// paused process would not notice.
/// </summary>
public sealed class VolumeOwner : IDisposable
{
    private const string LockFile = ".lock", IdFile = "volume.id", Key = "owner";

    private readonly FileStream _lock;

    private VolumeOwner(DurableFolder folder, FileStream held) => (Folder, _lock) = (folder, held);

    /// <summary>The volume.</summary>
    public DurableFolder Folder { get; }

    /// <summary>Locks the volume; made if needed.</summary>
    /// <exception cref="ServiceInUseException">Another process uses it.</exception>
    public static VolumeOwner Lock(string path)
    {
        Directory.CreateDirectory(path);
        string file = Path.Combine(path, LockFile);
        FileStream held;
        try
        {
            held = new FileStream(file, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException) when (File.Exists(file))
        {
            throw new ServiceInUseException($"ECOLORA_VOLUME {path}: expected a volume of this process alone, found it in use by another");
        }
        return new VolumeOwner(new DurableFolder(path), held);
    }

    /// <summary>Makes the volume the one of the app's records, or finds that it is.</summary>
    /// <exception cref="ServiceInUseException">The records belong to another volume.</exception>
    public async Task ClaimAsync(string appId, IStateStore store, CancellationToken cancellation)
    {
        if (Folder.Read(IdFile) is not { } id) Folder.Write(IdFile, id = System.Text.Encoding.ASCII.GetBytes(Guid.NewGuid().ToString("N")));
        string own = System.Text.Encoding.ASCII.GetString(id);
        StateRecord<OwnerRecord> record = await StateRecord.ReadAsync(store, Key, OwnerJson.Default.OwnerRecord, cancellation);
        if (record.Value is null)
        {
            try
            {
                await record.WriteAsync(new OwnerRecord(own, Folder.Path), cancellation);
                return;
            }
            catch (StateConflictException)
            {
                record = await StateRecord.ReadAsync(store, Key, OwnerJson.Default.OwnerRecord, cancellation);
            }
        }
        if (record.Value?.Volume == own) return;
        throw new ServiceInUseException(
            $"app {appId}: expected volume {record.Value?.Volume} ({record.Value?.Path}), to which its records in the state store belong, found {own} ({Folder.Path}): "
            + "a second instance of this service, or its volume was lost");
    }

    /// <inheritdoc/>
    public void Dispose() => _lock.Dispose();
}

/// <summary>The volume that an app's records belong to.</summary>
/// <param name="Volume">Its id.</param>
/// <param name="Path">Where it was when it was claimed, for people.</param>
internal sealed record OwnerRecord(string Volume, string Path);

/// <summary>Its JSON.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(OwnerRecord))]
internal sealed partial class OwnerJson : JsonSerializerContext;

/// <summary>A service that another process is already.</summary>
/// <param name="message">What was expected and what was found.</param>
public sealed class ServiceInUseException(string message) : IOException(message);
