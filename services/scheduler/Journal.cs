using System.Text.Json;
using EcoLora.Federation;
using EcoLora.Messaging;

namespace EcoLora.Services.Scheduler;

/// <summary>Reads journals.</summary>
public static class Journal
{
    /// <summary>Reads the entries of a journal file.</summary>
    /// <exception cref="StateFileException">A line is not an entry: the file and the line's number.</exception>
    public static IReadOnlyList<JournalEntry> Read(string path) => Read(path, AppendLog.ReadLines(path));

    internal static IReadOnlyList<JournalEntry> Read(string path, List<byte[]> lines)
    {
        var entries = new List<JournalEntry>(lines.Count);
        for (int i = 0; i < lines.Count; i++)
        {
            try
            {
                entries.Add(JsonSerializer.Deserialize(lines[i], ProtocolJson.Default.JournalEntry) ?? throw new JsonException("null"));
            }
            catch (Exception exception) when (exception is JsonException or NotSupportedException)
            {
                throw new StateFileException($"{path} line {i + 1}", "a journal entry", exception.Message);
            }
        }
        return entries;
    }
}
