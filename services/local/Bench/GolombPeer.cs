using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace EcoLora.Local.Bench;

/// <summary>
/// The paper's coding, written for speed: Golomb-coded gaps with the optimal parameter of the density, then raw binary16 values. Gap n ≥ 1 between kept
/// entries: n − 1 = q·M + r, q in unary (ones, then a zero), r in truncated binary, least significant bit first. It codes for itself alone and trusts its own
/// bytes; frames do not.
/// </summary>
internal sealed unsafe class GolombPeer : Coding
{
    private const int HeaderSize = 12, ClearAhead = 1 << 13, Scanned = 64, LongestQuotient = 32, LongStep = 24, MaximumParameter = 1 << 16;

    private readonly SparseUpdate _update;
    private readonly int _parameter;
    private readonly Code[] _codes;
    private readonly AlignedBuffer<byte> _coded;
    private readonly AlignedBuffer<Half> _decoded;

    public GolombPeer(SparseUpdate update)
    {
        _update = update;
        _parameter = ParameterFor(update.Kept, update.Entries);
        _codes = CodesFor(_parameter);
        long bits = (long)update.Kept * (2 + BitOperations.Log2((uint)_parameter)) + update.Entries / _parameter + 1;
        _coded = new AlignedBuffer<byte>(checked((int)(HeaderSize + bits / 8 + 2L * update.Kept + 3 * sizeof(ulong))));
        _decoded = new AlignedBuffer<Half>(update.Entries);
        MemoryMarshal.AsBytes(_decoded.Span).Fill(0xFF);
    }

    /// <summary>A gap's code.</summary>
    private readonly record struct Code(ulong Bits, int Length);

    /// <inheritdoc/>
    public override int Encode()
    {
        int kept = _update.Kept;
        Span<int> header = MemoryMarshal.Cast<byte, int>(_coded.Span[..HeaderSize]);
        (header[0], header[1], header[2]) = (_update.Entries, kept, _parameter);
        fixed (byte* coded = _coded.Span)
        fixed (Half* values = _update.Values.Span)
        {
            // The values come first, since their number is known, so that both streams grow in one pass.
            byte* end = WriteGaps((ushort*)values, (ushort*)(coded + HeaderSize), coded + HeaderSize + 2L * kept);
            return (int)(end - coded);
        }
    }

    /// <inheritdoc/>
    public override void Decode()
    {
        Span<int> header = MemoryMarshal.Cast<byte, int>(_coded.Span[..HeaderSize]);
        (int entries, int kept, int parameter) = (header[0], header[1], header[2]);
        fixed (byte* coded = _coded.Span)
        fixed (Half* values = _decoded.Span)
            ReadGaps((ushort*)values, entries, kept, parameter, (ushort*)(coded + HeaderSize), coded + HeaderSize + 2L * kept);
    }

    /// <inheritdoc/>
    public override bool IsExact() => MemoryMarshal.AsBytes(_decoded.Span).SequenceEqual(MemoryMarshal.AsBytes(_update.Values.Span));

    /// <inheritdoc/>
    protected override void Free()
    {
        _coded.Free();
        _decoded.Free();
    }

    /// <summary>The smallest M with (1−k)^M + (1−k)^{M+1} ≤ 1 (Gallager and Van Voorhis, 1975).</summary>
    private static int ParameterFor(int kept, int entries)
    {
        if (kept == 0 || kept == entries) return 1;
        double miss = 1 - (double)kept / entries;
        return (int)Math.Clamp(Math.Ceiling(Math.Log(1 / (1 + miss)) / Math.Log(miss)), 1, MaximumParameter);
    }

    /// <summary>The codes of the gaps whose quotient is below 32.</summary>
    private static Code[] CodesFor(int parameter)
    {
        (int width, int shortCodes) = RemainderCode(parameter);
        var codes = new Code[LongestQuotient * parameter];
        for (int gap = 0; gap < codes.Length; gap++)
        {
            int quotient = Math.DivRem(gap, parameter, out int remainder), length = quotient + 1;
            ulong bits = (1UL << quotient) - 1;
            if (remainder < shortCodes)
            {
                codes[gap] = new Code(bits | (ulong)remainder << length, length + Math.Max(width - 1, 0));
                continue;
            }
            // Truncated binary: the high bits first, so that a reader knows after width − 1 bits whether another follows.
            uint code = (uint)(remainder + shortCodes);
            codes[gap] = new Code(bits | (code >> 1 | (ulong)(code & 1) << (width - 1)) << length, length + width);
        }
        return codes;
    }

    /// <summary>⌈log2 M⌉, and how many remainders have a code that is one bit shorter.</summary>
    private static (int Width, int ShortCodes) RemainderCode(int parameter)
    {
        int width = BitOperations.Log2((uint)parameter) + (BitOperations.IsPow2(parameter) ? 0 : 1);
        return (width, (1 << width) - parameter);
    }

    private byte* WriteGaps(ushort* values, ushort* raw, byte* stream)
    {
        int entries = _update.Entries, previous = -1, pending = 0;
        ulong bits = 0;
        ReadOnlySpan<Code> codes = _codes;
        for (int start = 0; start < entries; start += Scanned)
        {
            for (ulong mask = NonZero(values + start, entries - start); mask != 0; mask &= mask - 1)
            {
                int index = start + BitOperations.TrailingZeroCount(mask), gap = index - previous - 1;
                previous = index;
                *raw++ = values[index];
                for (; gap >= codes.Length; gap -= LongStep * _parameter) Append(new Code((1UL << LongStep) - 1, LongStep), ref stream, ref bits, ref pending);
                Append(codes[gap], ref stream, ref bits, ref pending);
            }
        }
        *(ulong*)stream = bits;
        return stream + (pending + 7) / 8;
    }

    /// <summary>One bit for each of the next 64 entries: whether it is not zero.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong NonZero(ushort* values, int left)
    {
        ulong mask = 0;
        if (left < Scanned)
        {
            for (int i = 0; i < left; i++) mask |= values[i] == 0 ? 0 : 1UL << i;
            return mask;
        }
        for (int i = 0; i < Scanned; i += Vector256<ushort>.Count)
            mask |= (ulong)(ushort)~Vector256.Equals(Vector256.Load(values + i), Vector256<ushort>.Zero).ExtractMostSignificantBits() << i;
        return mask;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Append(Code code, ref byte* stream, ref ulong bits, ref int pending)
    {
        bits |= code.Bits << pending;
        pending += code.Length;
        *(ulong*)stream = bits;
        int whole = pending >> 3;
        stream += whole;
        bits >>= 8 * whole;
        pending &= 7;
    }

    private static void ReadGaps(ushort* values, int entries, int kept, int parameter, ushort* raw, byte* stream)
    {
        (int width, int shortCodes) = RemainderCode(parameter);
        int first = Math.Max(width - 1, 0);
        uint mask = (1u << first) - 1;
        // A remainder that is not below this has one more bit; without remainders (M = 1) there is none.
        uint longFrom = width == 0 ? 1 : (uint)shortCodes;
        long position = -1, bit = 0, cleared = 0;
        for (int i = 0; i < kept; i++)
        {
            ulong bits = Peek(stream, bit);
            int quotient = BitOperations.TrailingZeroCount(~bits);
            if (quotient < LongestQuotient) bits >>= quotient + 1;
            else
            {
                quotient = LongRun(stream, bit);
                bits = Peek(stream, bit + quotient + 1);
            }
            bit += quotient + 1;
            uint remainder = (uint)bits & mask, isLong = remainder >= longFrom ? 1u : 0;
            uint longer = (remainder << 1 | (uint)(bits >> first) & 1) - longFrom;
            remainder = isLong != 0 ? longer : remainder;
            bit += first + isLong;
            position += (long)quotient * parameter + remainder + 1;
            // Clearing shortly before writing leaves the lines in the cache.
            for (; cleared <= position; cleared += ClearAhead) Clear(values, cleared, entries);
            values[position] = raw[i];
        }
        for (; cleared < entries; cleared += ClearAhead) Clear(values, cleared, entries);
    }

    /// <summary>At least 57 bits of the stream.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong Peek(byte* stream, long bit) => *(ulong*)(stream + (bit >> 3)) >> (int)(bit & 7);

    private static int LongRun(byte* stream, long bit)
    {
        int ones = 0;
        while ((Peek(stream, bit + ones) & 1) == 1) ones++;
        return ones;
    }

    private static void Clear(ushort* values, long start, int entries) => new Span<ushort>(values + start, (int)Math.Min(ClearAhead, entries - start)).Clear();
}
