using System.Text.Json;
using EcoLora.Federation;
using EcoLora.Messaging;

namespace EcoLora.Services.Scheduler;

/// <summary>A journal in a file of one line per entry, which one process writes.</summary>
public sealed class FileJournal : IRunJournal
{
    private readonly AppendLog _log;
    private readonly List<JournalEntry> _entries;

    /// <summary>Opens the file, makes it if needed, and cuts off a torn last line.</summary>
    /// <exception cref="StateFileException">A line is not an entry: the file and the line's number.</exception>
    public FileJournal(string path)
    {
        _log = AppendLog.Open(path, out List<byte[]> lines);
        try
        {
            _entries = [.. Journal.Read(path, lines)];
        }
        catch
        {
            _log.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public Task<IReadOnlyList<JournalEntry>> ReadAsync(int from, CancellationToken cancellation) => Task.FromResult<IReadOnlyList<JournalEntry>>([.. _entries.Skip(from)]);

    /// <inheritdoc/>
    public Task<bool> TryAppendAsync(int number, JournalEntry entry, CancellationToken cancellation)
    {
        if (number != _entries.Count) return Task.FromResult(false);
        _log.Append(JsonSerializer.SerializeToUtf8Bytes(entry, ProtocolJson.Default.JournalEntry));
        _entries.Add(entry);
        return Task.FromResult(true);
    }

    /// <inheritdoc/>
    public void Dispose() => _log.Dispose();
}
