using System.Globalization;
using System.Text.Json;
using EcoLora.Federation;
using EcoLora.Messaging;

namespace EcoLora.Services.Scheduler;

/// <summary>
/// A journal in the state store: one key per entry, written only where there is none. So any number of schedulers may work on one run: each entry is written once,
/// and whoever loses a number reads what stands there and goes on from it.
/// </summary>
/// <param name="store">The state store.</param>
/// <param name="run">The run's name.</param>
public sealed class StateJournal(IStateStore store, string run) : IRunJournal
{
    private const int EntriesPerRead = 100, EntriesPerLook = 4;

    /// <inheritdoc/>
    public async Task<IReadOnlyList<JournalEntry>> ReadAsync(int from, CancellationToken cancellation)
    {
        var lines = new List<byte[]>();
        while (true)
        {
            // Who is nearly up to date finds little that is new.
            int count = from > 0 && lines.Count == 0 ? EntriesPerLook : EntriesPerRead;
            string[] keys = [.. Enumerable.Range(from + lines.Count, count).Select(KeyOf)];
            StoredValue?[] found = [.. (await store.ReadManyAsync(keys, cancellation)).TakeWhile(value => value is not null)];
            lines.AddRange(found.Select(value => value!.Value.ToArray()));
            if (found.Length < keys.Length) return Journal.Read($"journal of {run} from {from}", lines);
        }
    }

    /// <inheritdoc/>
    public async Task<bool> TryAppendAsync(int number, JournalEntry entry, CancellationToken cancellation)
    {
        byte[] text = JsonSerializer.SerializeToUtf8Bytes(entry, ProtocolJson.Default.JournalEntry);
        if (await store.TryWriteAsync(KeyOf(number), text, null, cancellation)) return true;
        // A write whose answer was lost and that was tried again finds its own entry; another scheduler's equal one is as good.
        return (await store.ReadAsync(KeyOf(number), cancellation))?.Value.Span.SequenceEqual(text) == true;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        // Nothing is held open.
    }

    private string KeyOf(int number) => string.Create(CultureInfo.InvariantCulture, $"journal.{run}.{number:d8}");
}
