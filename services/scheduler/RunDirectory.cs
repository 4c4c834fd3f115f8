using System.Text.Json;
using System.Text.Json.Serialization;
using EcoLora.Messaging;

namespace EcoLora.Services.Scheduler;

/// <summary>A run as it was submitted.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Options">Its options, with aliases for model and data.</param>
public sealed record SubmittedRun(string Name, JsonElement Options);

/// <summary>The submitted runs in the state store: one key for each, written once, and a list of their names in the order of submission.</summary>
/// <param name="store">The state store.</param>
public sealed class RunDirectory(IStateStore store)
{
    private const string Index = "runs";

    /// <summary>Adds a run; adding it again changes nothing.</summary>
    /// <returns>False when the name is taken by a run with other options.</returns>
    public async Task<bool> TryAddAsync(SubmittedRun run, CancellationToken cancellation)
    {
        StateRecord<SubmittedRun> record = await StateRecord.ReadAsync(store, KeyOf(run.Name), DirectoryJson.Default.SubmittedRun, cancellation);
        if (record.Value is { } known && !JsonElement.DeepEquals(known.Options, run.Options)) return false;
        if (record.Value is null)
        {
            try
            {
                await record.WriteAsync(run, cancellation);
            }
            catch (StateConflictException)
            {
                return await TryAddAsync(run, cancellation);
            }
        }
        while (true)
        {
            StateRecord<RunNames> index = await StateRecord.ReadAsync(store, Index, DirectoryJson.Default.RunNames, cancellation);
            IReadOnlyList<string> names = index.Value?.Names ?? [];
            if (names.Contains(run.Name)) return true;
            try
            {
                await index.WriteAsync(new RunNames([.. names, run.Name]), cancellation);
                return true;
            }
            catch (StateConflictException)
            {
                // Another scheduler has added a run meanwhile.
            }
        }
    }

    /// <summary>The run of that name, or null.</summary>
    public async Task<SubmittedRun?> FindAsync(string name, CancellationToken cancellation) =>
        (await StateRecord.ReadAsync(store, KeyOf(name), DirectoryJson.Default.SubmittedRun, cancellation)).Value;

    /// <summary>All runs in the order of submission.</summary>
    public async Task<IReadOnlyList<SubmittedRun>> ListAsync(CancellationToken cancellation)
    {
        StateRecord<RunNames> index = await StateRecord.ReadAsync(store, Index, DirectoryJson.Default.RunNames, cancellation);
        string[] keys = [.. (index.Value?.Names ?? []).Select(KeyOf)];
        return [.. (await StateRecord.ReadManyAsync(store, keys, DirectoryJson.Default.SubmittedRun, cancellation)).Select(record => record.Value).OfType<SubmittedRun>()];
    }

    private static string KeyOf(string name) => $"run.{name}";
}

/// <summary>Names of the runs.</summary>
internal sealed record RunNames(IReadOnlyList<string> Names);

/// <summary>The directory's JSON.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(SubmittedRun))]
[JsonSerializable(typeof(RunNames))]
internal sealed partial class DirectoryJson : JsonSerializerContext;
