namespace EcoLora.Local.Bench;

/// <summary>A frame whose bytes change, come and go; the lengths in the head and the chunk index follow. One is used for all frames of a thread.</summary>
internal sealed class MutableFrame
{
    /// <summary>Most bytes of a frame.</summary>
    public const int Capacity = 1 << 20;

    private readonly byte[] _bytes = new byte[Capacity], _moved = new byte[Capacity];

    /// <summary>Number of bytes.</summary>
    public int Length { get; private set; }

    /// <summary>The frame.</summary>
    public Span<byte> Bytes => _bytes.AsSpan(0, Length);

    /// <summary>Where its parts are.</summary>
    public FrameMap Map { get; } = new();

    /// <summary>Takes a copy of a frame.</summary>
    public void Load(ReadOnlySpan<byte> frame)
    {
        frame.CopyTo(_bytes);
        Length = frame.Length;
        Map.Set(Bytes);
    }

    /// <summary>Cuts the frame off, and leaves its lengths as they are.</summary>
    public void Truncate(int length)
    {
        Length = length;
        Map.Set(Bytes);
    }

    /// <summary>Puts bytes in the place of others inside one part, whose length follows.</summary>
    /// <param name="at">Where.</param>
    /// <param name="removed">How many bytes go.</param>
    /// <param name="inserted">The bytes that come; they may be the frame's own.</param>
    /// <returns>The larger number of bytes that come or go, or how many change where these are equal; 0 when there is no room.</returns>
    public int Replace(int at, int removed, ReadOnlySpan<byte> inserted)
    {
        int by = inserted.Length - removed;
        if (removed > Length - at || by > Capacity - Length) return 0;
        inserted.CopyTo(_moved);
        if (by == 0)
        {
            int changed = Overwrite(_bytes.AsSpan(at, removed), _moved.AsSpan(0, removed));
            Map.Set(Bytes);
            return changed;
        }
        Map.Resize(Bytes, at, by);
        _bytes.AsSpan(at + removed, Length - at - removed).CopyTo(_bytes.AsSpan(at + inserted.Length));
        _moved.AsSpan(0, inserted.Length).CopyTo(_bytes.AsSpan(at));
        Length += by;
        Map.Set(Bytes);
        return Math.Max(removed, inserted.Length);
    }

    /// <summary>Puts bytes, perhaps of the same frame, in the place of others.</summary>
    /// <returns>How many change.</returns>
    public static int Overwrite(Span<byte> bytes, ReadOnlySpan<byte> by)
    {
        int changed = 0;
        for (int i = 0; i < bytes.Length; i++)
        {
            if (bytes[i] != by[i]) changed++;
            bytes[i] = by[i];
        }
        return changed;
    }

    /// <summary>Repairs all checksums.</summary>
    public void Seal()
    {
        Map.Set(Bytes);
        Map.Seal(Bytes);
    }
}
