using System.Numerics;

namespace EcoLora.Numerics;

/// <summary>How the entries of a weight matrix are stored.</summary>
public enum WeightFormat
{
    /// <summary>In the element type that is computed in.</summary>
    Full,

    /// <summary>IEEE 754 binary16.</summary>
    Half,

    /// <summary>bfloat16, the upper 16 bits of a binary32.</summary>
    Brain,
}

/// <summary>
/// The entries of a frozen matrix, row-major, as they lie in memory: full, or in 16 bits that a kernel widens where it reads them. Widening is exact, so a
/// product does not depend on the format that its weights are stored in.
/// </summary>
public readonly ref struct Weights<T>
    where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    /// <summary>Entries in the element type of the computation.</summary>
    public Weights(ReadOnlySpan<T> full) => Full = full;

    /// <summary>Entries in 16 bits.</summary>
    /// <param name="narrow">Their bits.</param>
    /// <param name="format">What the bits mean; not <see cref="WeightFormat.Full"/>.</param>
    public Weights(ReadOnlySpan<ushort> narrow, WeightFormat format)
    {
        Narrow = narrow;
        Format = format;
    }

    /// <summary>How the entries are stored.</summary>
    public WeightFormat Format { get; }

    /// <summary>Number of entries.</summary>
    public int Length => Format == WeightFormat.Full ? Full.Length : Narrow.Length;

    /// <summary>One entry, widened.</summary>
    public T this[int index] => Format == WeightFormat.Full ? Full[index] : T.CreateTruncating(WeightConversion.One(Narrow[index], Format));

    internal ReadOnlySpan<T> Full { get; }

    internal ReadOnlySpan<ushort> Narrow { get; }

    /// <summary>Entries that are stored in full.</summary>
    public static implicit operator Weights<T>(ReadOnlySpan<T> full) => new(full);

    /// <summary>Entries that are stored in full.</summary>
    public static implicit operator Weights<T>(Span<T> full) => new(full);

    /// <summary>Entries that are stored in full.</summary>
    public static implicit operator Weights<T>(T[] full) => new(full);

    /// <summary>A part of the entries.</summary>
    public Weights<T> Slice(int start, int length) => Format == WeightFormat.Full ? new(Full.Slice(start, length)) : new(Narrow.Slice(start, length), Format);

    /// <summary>Writes all entries, widened.</summary>
    /// <exception cref="ArgumentException">The destination is shorter.</exception>
    public void CopyTo(Span<T> destination)
    {
        if (Format == WeightFormat.Full) Full.CopyTo(destination);
        else WeightConversion.Widen(Narrow, Format, destination);
    }
}

/// <summary>Widening of stored weights to the element type of a computation.</summary>
internal static class WeightConversion
{
    public static void Widen<T>(ReadOnlySpan<ushort> narrow, WeightFormat format, Span<T> destination)
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        destination = destination[..narrow.Length];
        if (typeof(T) == typeof(float))
        {
            Span<float> floats = System.Runtime.InteropServices.MemoryMarshal.Cast<T, float>(destination);
            if (format == WeightFormat.Half) FloatConversion.WidenHalf(narrow, floats);
            else FloatConversion.WidenBrain(narrow, floats);
            return;
        }
        for (int i = 0; i < narrow.Length; i++) destination[i] = T.CreateTruncating(One(narrow[i], format));
    }

    /// <summary>One entry.</summary>
    public static float One(ushort bits, WeightFormat format) => format == WeightFormat.Half ? FloatConversion.WidenHalf(bits) : FloatConversion.WidenBrain(bits);
}
