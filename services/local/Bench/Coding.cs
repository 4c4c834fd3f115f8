namespace EcoLora.Local.Bench;

/// <summary>One codec at work on one sparse update, with buffers of its own that it has allocated before it is timed.</summary>
internal abstract class Coding : IDisposable
{
    /// <summary>Encodes the update into the codec's buffer.</summary>
    /// <returns>Number of bytes, everything included.</returns>
    public abstract int Encode();

    /// <summary>Decodes what was encoded last.</summary>
    public abstract void Decode();

    /// <summary>True when the last decoding gave the update's values again, bit by bit.</summary>
    public abstract bool IsExact();

    /// <inheritdoc/>
    public void Dispose()
    {
        Free();
        GC.SuppressFinalize(this);
    }

    /// <summary>Frees the buffers.</summary>
    protected abstract void Free();
}

/// <summary>A codec that the bench compares.</summary>
/// <param name="Name">What the rows call it.</param>
/// <param name="IsSlow">Whether it works on a slice, since the whole would take minutes.</param>
/// <param name="Note">What a reader of the row must know, or empty.</param>
/// <param name="Absent">Why it cannot run here, or null.</param>
/// <param name="Open">Starts it on an update.</param>
internal sealed record Peer(string Name, bool IsSlow, string Note, string? Absent, Func<SparseUpdate, Coding> Open);
