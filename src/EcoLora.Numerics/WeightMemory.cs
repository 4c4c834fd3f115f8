using System.Numerics;
using System.Runtime.InteropServices;

namespace EcoLora.Numerics;

/// <summary>The entries of a frozen tensor, row-major, in memory or in a mapped file: what <see cref="Weights{T}"/> is a view of.</summary>
public readonly struct WeightMemory<T>
    where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    private readonly ReadOnlyMemory<T> _full;
    private readonly ReadOnlyMemory<ushort> _narrow;

    /// <summary>Entries in the element type of the computation.</summary>
    public WeightMemory(ReadOnlyMemory<T> full) => _full = full;

    /// <summary>Entries in 16 bits.</summary>
    /// <param name="narrow">Their bits.</param>
    /// <param name="format">What the bits mean; not <see cref="WeightFormat.Full"/>.</param>
    public WeightMemory(ReadOnlyMemory<ushort> narrow, WeightFormat format)
    {
        _narrow = narrow;
        Format = format;
    }

    /// <summary>How the entries are stored.</summary>
    public WeightFormat Format { get; }

    /// <summary>Number of entries.</summary>
    public int Length => Format == WeightFormat.Full ? _full.Length : _narrow.Length;

    /// <summary>The entries, for a kernel.</summary>
    public Weights<T> Span => Format == WeightFormat.Full ? new(_full.Span) : new(_narrow.Span, Format);

    /// <summary>Some of the entries as they are stored.</summary>
    /// <param name="start">Index of the first.</param>
    /// <param name="length">Their number; together at most 2 GiB.</param>
    public ReadOnlySpan<byte> BytesOf(int start, int length) =>
        Format == WeightFormat.Full ? MemoryMarshal.AsBytes(_full.Span.Slice(start, length)) : MemoryMarshal.AsBytes(_narrow.Span.Slice(start, length));

    /// <summary>The entries in the element type of the computation: the stored ones, or a widened copy.</summary>
    public ReadOnlyMemory<T> Widened()
    {
        if (Format == WeightFormat.Full) return _full;
        T[] copy = GC.AllocateUninitializedArray<T>(Length);
        Span.CopyTo(copy);
        return copy;
    }

    /// <summary>Whether no entry is NaN or an infinity. Reads all entries.</summary>
    public bool IsFinite()
    {
        if (Format == WeightFormat.Full) return double.IsFinite(VectorMath.SumOfSquares(_full.Span));
        // Neither NaN nor infinity: the exponent has a zero bit.
        ushort exponent = (ushort)(Format == WeightFormat.Half ? 0x7C00 : 0x7F80);
        ReadOnlySpan<ushort> bits = _narrow.Span;
        var mask = new Vector<ushort>(exponent);
        int i = 0;
        for (; i <= bits.Length - Vector<ushort>.Count; i += Vector<ushort>.Count)
        {
            if (Vector.EqualsAny(new Vector<ushort>(bits[i..]) & mask, mask)) return false;
        }
        for (; i < bits.Length; i++)
        {
            if ((bits[i] & exponent) == exponent) return false;
        }
        return true;
    }
}
