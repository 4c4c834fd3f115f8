using System.Buffers.Binary;

namespace EcoLora.Codec;

/// <summary>Writes bits into a buffer, least significant bit first.</summary>
internal ref struct BitWriter(Span<byte> destination)
{
    private readonly Span<byte> _destination = destination;
    private ulong _bits;
    private int _pending;
    private int _written;

    /// <summary>Appends the low <paramref name="count"/> bits (0..32) of <paramref name="value"/>, whose higher bits are zero.</summary>
    public void Write(uint value, int count)
    {
        _bits |= (ulong)value << _pending;
        _pending += count;
        if (_pending < 32) return;
        BinaryPrimitives.WriteUInt32LittleEndian(_destination[_written..], (uint)_bits);
        _written += sizeof(uint);
        _bits >>= 32;
        _pending -= 32;
    }

    /// <summary>Pads with zero bits to a whole byte.</summary>
    /// <returns>Number of bytes written in all.</returns>
    public int Finish()
    {
        for (; _pending > 0; _pending -= 8, _bits >>= 8) _destination[_written++] = (byte)_bits;
        return _written;
    }
}

/// <summary>Reads bits that <see cref="BitWriter"/> wrote; past the end it reads zeros and counts them.</summary>
internal ref struct BitReader(ReadOnlySpan<byte> source)
{
    private readonly ReadOnlySpan<byte> _source = source;
    private ulong _bits;
    private int _available;
    private int _position;

    /// <summary>Bits consumed so far.</summary>
    public long Consumed { get; private set; }

    /// <summary>The next <paramref name="count"/> bits (0..32).</summary>
    public uint Read(int count)
    {
        Refill(count);
        uint value = (uint)(_bits & ((1UL << count) - 1));
        Skip(count);
        return value;
    }

    /// <summary>Counts one bits up to the next zero bit, which is consumed too; stops at <paramref name="limit"/>.</summary>
    /// <returns>The count, or limit + 1 when there are more.</returns>
    public int ReadUnary(int limit)
    {
        int ones = 0;
        while (true)
        {
            Refill(32);
            int run = System.Numerics.BitOperations.TrailingZeroCount(~(uint)_bits);
            ones += run;
            if (ones > limit) return limit + 1;
            if (run < 32)
            {
                Skip(run + 1);
                return ones;
            }
            Skip(32);
        }
    }

    private void Refill(int count)
    {
        while (_available < count)
        {
            ulong next = _position < _source.Length ? _source[_position] : 0UL;
            _bits |= next << _available;
            _position++;
            _available += 8;
        }
    }

    private void Skip(int count)
    {
        _bits >>= count;
        _available -= count;
        Consumed += count;
    }
}
