namespace EcoLora.Codec;

/// <summary>Appends the fields of a frame.</summary>
internal ref struct FieldWriter(Span<byte> destination)
{
    private readonly Span<byte> _destination = destination;

    /// <summary>Bytes written.</summary>
    public int Position { get; private set; }

    /// <summary>What was written.</summary>
    public readonly ReadOnlySpan<byte> Written => _destination[..Position];

    /// <summary>One byte.</summary>
    public void Byte(int value) => _destination[Position++] = (byte)value;

    /// <summary>A number in groups of 7 bits, the lowest first, each but the last with its top bit set (LEB128).</summary>
    public void Varint(int value)
    {
        for (; value > 127; value >>= 7) Byte(value | 128);
        Byte(value);
    }

    /// <summary>Bytes that <see cref="Varint"/> takes.</summary>
    public static int VarintBytes(int value) => 1 + System.Numerics.BitOperations.Log2((uint)value | 1) / 7;

    /// <summary>Bytes as they are.</summary>
    public void Bytes(scoped ReadOnlySpan<byte> bytes)
    {
        bytes.CopyTo(_destination[Position..]);
        Position += bytes.Length;
    }

    /// <summary>Frequencies of at least 1 with the sum 256, the last one left out: f − 1 in a nibble, or 15 and then f − 16 in two, the lower first.</summary>
    public void Frequencies(scoped ReadOnlySpan<int> frequencies)
    {
        int pending = -1;
        foreach (int f in frequencies[..^1])
        {
            Nibble(Math.Min(15, f - 1), ref pending);
            if (f < 16) continue;
            Nibble(f - 16 & 15, ref pending);
            Nibble(f - 16 >> 4, ref pending);
        }
        if (pending >= 0) Byte(pending);
    }

    private void Nibble(int value, ref int pending)
    {
        if (pending >= 0) Byte(pending | value << 4);
        pending = pending >= 0 ? -1 : value;
    }

    /// <summary>Room for bytes that are filled in by the caller.</summary>
    public Span<byte> Take(int bytes)
    {
        Position += bytes;
        return _destination.Slice(Position - bytes, bytes);
    }
}

/// <summary>Reads the fields of a frame; every failure names the field.</summary>
internal ref struct FieldReader(ReadOnlySpan<byte> source)
{
    private readonly ReadOnlySpan<byte> _source = source;

    /// <summary>Bytes read.</summary>
    public int Position { get; private set; }

    /// <summary>Bytes left.</summary>
    public readonly int Left => _source.Length - Position;

    /// <summary>One byte.</summary>
    public int Byte(string field) => Left > 0 ? _source[Position++] : throw new FrameException(field, "a byte", "the end");

    /// <summary>A number as <see cref="FieldWriter.Varint"/> writes it, in as few groups as it needs.</summary>
    /// <param name="field">Its name.</param>
    /// <param name="minimum">Least value.</param>
    /// <param name="maximum">Largest value.</param>
    public int Varint(string field, int minimum, int maximum)
    {
        long value = 0;
        for (int shift = 0; shift < 35; shift += 7)
        {
            int group = Byte(field);
            value |= (long)(group & 127) << shift;
            if (group > 127) continue;
            if (group == 0 && shift > 0) throw new FrameException(field, "a number without leading zeros", "one with them");
            if (value < minimum || value > maximum) throw new FrameException(field, $"{minimum} to {maximum}", $"{value}");
            return (int)value;
        }
        throw new FrameException(field, "a number of at most 5 bytes", "more");
    }

    /// <summary>Bytes as they are.</summary>
    public ReadOnlySpan<byte> Take(string field, long bytes)
    {
        if (bytes > Left) throw new FrameException(field, $"{bytes} bytes", $"{Left}");
        Position += (int)bytes;
        return _source.Slice(Position - (int)bytes, (int)bytes);
    }

    /// <summary>Frequencies as <see cref="FieldWriter.Frequencies"/> writes them.</summary>
    public void Frequencies(string field, scoped Span<int> frequencies)
    {
        int pending = -1, left = RansTable.Total;
        for (int i = 0; i < frequencies.Length - 1; i++)
        {
            int f = 1 + Nibble(field, ref pending);
            if (f == 16) f += Nibble(field, ref pending) | Nibble(field, ref pending) << 4;
            frequencies[i] = f;
            left -= f;
        }
        if (pending > 0) throw new FrameException(field, "a zero nibble after the last", $"{pending}");
        if (left < 1) throw new FrameException(field, "frequencies that add up to 256", $"{RansTable.Total - left} before the last");
        frequencies[^1] = left;
    }

    private int Nibble(string field, ref int pending)
    {
        int value;
        if (pending >= 0)
        {
            value = pending;
            pending = -1;
            return value;
        }
        value = Byte(field);
        pending = value >> 4;
        return value & 15;
    }
}
