using EcoLora.Federation;

namespace EcoLora.Services.Scheduler;

/// <summary>
/// The journal of one run: entries by number, each durable before it is acted on and never changed. Of two processes that append, one gets a number and the
/// other learns what stands there. Implementations: a file, for a run in one process; the state store.
/// </summary>
public interface IRunJournal : IDisposable
{
    /// <summary>The entries from a number on.</summary>
    /// <exception cref="Messaging.StateFileException">One of them is not an entry.</exception>
    Task<IReadOnlyList<JournalEntry>> ReadAsync(int from, CancellationToken cancellation);

    /// <summary>Appends an entry as that number; durable when this returns true.</summary>
    /// <returns>False when the number is taken: nothing was written.</returns>
    Task<bool> TryAppendAsync(int number, JournalEntry entry, CancellationToken cancellation);
}
