using System.Collections.Concurrent;
using System.Text.Json.Serialization;
using EcoLora.Federation;
using EcoLora.Messaging;

namespace EcoLora.Services.Trainer;

/// <summary>P_i^τ: a client's adapter at the end of its last round.</summary>
/// <param name="Round">τ.</param>
/// <param name="Loss">The loss that it measured.</param>
/// <param name="MixingWeight">m with which its start was mixed.</param>
/// <param name="Values">The exchanged vector.</param>
internal sealed record LocalAdapter(int Round, double Loss, double MixingWeight, float[] Values);

/// <summary>
/// One run at a trainer. Records in the state store say which round is open and which local adapter of a client counts; the volume holds the adapters.
/// </summary>
internal sealed class TrainedRun
{
    private readonly IStateStore _store;
    private readonly DurableFolder _folder;
    private readonly FederatedMethod _method;
    private readonly StateRecord<TrainerRecord> _record;
    private readonly ConcurrentDictionary<int, StateRecord<LocalRecord>> _locals = new();
    private readonly Lock _publishedLock = new();
    private (int Version, Task<ReadOnlyMemory<float>> Values)? _published;

    private TrainedRun(StateRecord<TrainerRecord> record, IStateStore store, DurableFolder root)
    {
        (_record, _store) = (record, store);
        (_folder, _method) = (root.Folder(Plan.Run), Plan.FederatedMethod);
    }

    public RunPlan Plan => _record.Value!.Plan;

    /// <summary>The round that was opened last, or null.</summary>
    public RoundOpened? Open => _record.Value!.Open;

    /// <summary>The version that ends the run, or null.</summary>
    public int? Ending => _record.Value!.Ending;

    /// <summary>What was evaluated last while this process lives: asked for again because its report was lost, it is said again.</summary>
    public Evaluated? LastEvaluation { get; set; }

    /// <summary>Key of a run's record.</summary>
    public static string KeyOf(ulong run) => $"run.{run:x16}";

    /// <summary>Opens a run that is known, or null.</summary>
    public static async Task<TrainedRun?> FindAsync(ulong run, IStateStore store, DurableFolder root, CancellationToken cancellation)
    {
        StateRecord<TrainerRecord> record = await StateRecord.ReadAsync(store, KeyOf(run), TrainerJson.Default.TrainerRecord, cancellation);
        return record.Value is null ? null : new TrainedRun(record, store, root);
    }

    /// <summary>Opens a run, which is known from now on.</summary>
    public static async Task<TrainedRun> OpenAsync(RunPlan plan, IStateStore store, DurableFolder root, CancellationToken cancellation)
    {
        StateRecord<TrainerRecord> record = await StateRecord.ReadAsync(store, KeyOf(plan.Key), TrainerJson.Default.TrainerRecord, cancellation);
        if (record.Value is null) await record.WriteAsync(new TrainerRecord(plan, null, null), cancellation);
        return new TrainedRun(record, store, root);
    }

    /// <summary>Takes a plan whose roster has grown.</summary>
    public async Task GrowAsync(RunPlan plan, CancellationToken cancellation)
    {
        if (plan.Roster.Count > Plan.Roster.Count) await _record.WriteAsync(_record.Value! with { Plan = plan }, cancellation);
    }

    /// <summary>Remembers the open round; an earlier one says nothing once a later one is open.</summary>
    public async Task OpenRoundAsync(RoundOpened opened, CancellationToken cancellation)
    {
        if (opened.IsNewsAfter(Open)) await _record.WriteAsync(_record.Value! with { Open = opened }, cancellation);
    }

    /// <summary>Remembers that the run ends with a version.</summary>
    public async Task EndAsync(int version, CancellationToken cancellation)
    {
        if (Ending is null) await _record.WriteAsync(_record.Value! with { Ending = version }, cancellation);
    }

    /// <summary>What a client sends of its whole adapter.</summary>
    public float[] Exchanged(int client, ReadOnlySpan<float> whole) => _method.Exchanged(Plan.AdapterLayout(client), whole);

    /// <summary>Q^version: one copy of the last for all jobs, but under a deadline, where a client may be too late for a version that another has.</summary>
    /// <param name="version">The version.</param>
    /// <param name="get">Asks for it.</param>
    public Task<ReadOnlyMemory<float>> PublishedAsync(int version, Func<Task<ReadOnlyMemory<float>>> get)
    {
        if (Plan.Deadline is not null && !_method.MergesIntoBase) return get();
        lock (_publishedLock)
        {
            if (_published is not { } known || known.Version != version || known.Values.IsFaulted || known.Values.IsCanceled) _published = known = (version, get());
            return known.Values;
        }
    }

    /// <summary>Lets go of the published vector: the run is over.</summary>
    public void Release()
    {
        lock (_publishedLock) _published = null;
    }

    /// <summary>The last round of a client whose outcome is durable, or null before its first.</summary>
    public async Task<int?> LastRoundAsync(int client, CancellationToken cancellation) => (await FindLocalAsync(client, cancellation)).Value?.Round;

    /// <summary>The local adapter of a client, or null before its first round.</summary>
    public async Task<LocalAdapter?> ReadLocalAsync(int client, CancellationToken cancellation)
    {
        StateRecord<LocalRecord> record = await FindLocalAsync(client, cancellation);
        while (record.Value is { } local)
        {
            if (VectorFile.TryRead(_folder, local.File, TrainerJson.Default.LocalHeader, out LocalHeader header, out float[][] vectors) && header.Round == local.Round)
                return new LocalAdapter(local.Round, local.Loss, local.MixingWeight, vectors[0]);
            // A later round of the client may have ended meanwhile: its record is written before the former one's file goes.
            if (record.Value == local)
                throw new StateFileException(_folder.FileAt(local.File), $"the local adapter of round {local.Round} that the state names", "another, or none");
        }
        return null;
    }

    /// <summary>Replaces the local adapter of a client, after <see cref="ReadLocalAsync"/>.</summary>
    public async Task WriteLocalAsync(int client, LocalAdapter local, CancellationToken cancellation)
    {
        StateRecord<LocalRecord> record = _locals[client];
        string file = $"local-{client:d5}-{local.Round:d5}.bin";
        VectorFile.Write(_folder, file, new LocalHeader(local.Round), TrainerJson.Default.LocalHeader, local.Values);
        string? former = record.Value?.File;
        await record.WriteAsync(new LocalRecord(local.Round, local.Loss, local.MixingWeight, file), cancellation);
        if (former is not null && former != file) _folder.Delete(former);
    }

    private async Task<StateRecord<LocalRecord>> FindLocalAsync(int client, CancellationToken cancellation)
    {
        if (_locals.TryGetValue(client, out StateRecord<LocalRecord>? record)) return record;
        // Of two jobs that read it at once the first one's counts for both: what one of them writes the other must see.
        return _locals.GetOrAdd(client, await StateRecord.ReadAsync(_store, $"{KeyOf(Plan.Key)}.client.{client}", TrainerJson.Default.LocalRecord, cancellation));
    }
}

/// <summary>What counts of a run at a trainer.</summary>
/// <param name="Plan">The plan.</param>
/// <param name="Open">The last round that was opened, or null.</param>
/// <param name="Ending">The version that ends the run, or null.</param>
internal sealed record TrainerRecord(RunPlan Plan, RoundOpened? Open, int? Ending);

/// <summary>What counts of a client.</summary>
/// <param name="Round">τ.</param>
/// <param name="Loss">The loss that it measured.</param>
/// <param name="MixingWeight">m with which its start was mixed.</param>
/// <param name="File">The file of its adapter.</param>
internal sealed record LocalRecord(int Round, double Loss, double MixingWeight, string File);

/// <summary>Header of a local adapter; its vector is the exchanged one.</summary>
internal sealed record LocalHeader(int Round);

/// <summary>Runs that a trainer goes on with when it comes back, by key.</summary>
internal sealed record ActiveRuns(IReadOnlyList<ulong> Keys);

/// <summary>The trainer's JSON.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, UseStringEnumConverter = true, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(TrainerRecord))]
[JsonSerializable(typeof(LocalRecord))]
[JsonSerializable(typeof(LocalHeader))]
[JsonSerializable(typeof(ActiveRuns))]
internal sealed partial class TrainerJson : JsonSerializerContext;
