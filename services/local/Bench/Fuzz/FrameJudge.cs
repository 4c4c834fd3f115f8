using System.Runtime.InteropServices;
using EcoLora.Codec;
using EcoLora.Numerics;

namespace EcoLora.Local.Bench;

/// <summary>What a receiver has of a frame; every code path must give the same.</summary>
/// <param name="Identity">Why the header alone is refused, or null.</param>
/// <param name="Refusal">Why the frame is refused, or null.</param>
/// <param name="Digest">CRC-32C of the decoded values.</param>
/// <param name="Sizes">What the ledger records, or null.</param>
internal sealed record Verdict(string? Identity, string? Refusal, uint Digest, FrameSizes? Sizes)
{
    /// <summary>Whether the frame is valid.</summary>
    public bool IsAccepted => Refusal is null;
}

/// <summary>A frame was read to an end that the format does not allow.</summary>
/// <param name="message">What was found.</param>
internal sealed class ContradictionException(string message) : Exception(message);

/// <summary>Reads frames.</summary>
internal interface IFrameJudge : IDisposable
{
    /// <summary>Reads a frame on one code path.</summary>
    /// <exception cref="ContradictionException">The calls on the frame disagree, or a value is not finite.</exception>
    Verdict Judge(ReadOnlyMemory<byte> bytes, LoraLayout layout, SimdPath path);
}

/// <summary>
/// Does with a frame everything that a receiver does, and holds the calls against each other: all of them refuse for the same reason, or none; sums are the
/// weighted values; halves are the values. What is decoded ends at a page that may not be touched. For one thread.
/// </summary>
internal sealed class FrameJudge : IFrameJudge
{
    private const double Weight = 0.5; // A power of two, so that sums are exact.

    private static readonly int _most = FuzzLayouts.All.Max(layout => layout.Length);

    private readonly GuardedMemory _values = new(_most * sizeof(float)), _sums = new(_most * sizeof(double)), _halves = new(_most * sizeof(ushort));

    /// <inheritdoc/>
    public Verdict Judge(ReadOnlyMemory<byte> bytes, LoraLayout layout, SimdPath path)
    {
        string? identity = null;
        FrameHeader? header = null;
        try
        {
            header = Frame.ReadHeader(bytes.Span);
        }
        catch (FrameException exception)
        {
            identity = exception.Message;
        }
        Frame frame;
        try
        {
            frame = Frame.Open(bytes, layout);
        }
        catch (FrameException exception)
        {
            return new Verdict(identity, exception.Message, 0, null);
        }
        if (header is not null && header != frame.Header) throw new ContradictionException($"ReadHeader finds {header}, Open {frame.Header}");
        return Judge(frame, identity, new CodecExecution(1, path));
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _values.Free();
        _sums.Free();
        _halves.Free();
    }

    private Verdict Judge(Frame frame, string? identity, CodecExecution execution)
    {
        Span<float> values = _values.Last<float>(frame.Range.Length);
        Span<double> sums = _sums.Last<double>(values.Length);
        Span<Half> halves = _halves.Last<Half>(values.Length);
        string? measured = null, decoded = null, summed = null, halved = null;
        FrameSizes? sizes = null;
        try
        {
            sizes = frame.Measure(execution);
        }
        catch (FrameException exception)
        {
            measured = exception.Message;
        }
        values.Fill(float.NaN); // An entry that is not written is found.
        try
        {
            frame.Decode(values, execution);
        }
        catch (FrameException exception)
        {
            decoded = exception.Message;
        }
        sums.Clear();
        try
        {
            frame.Accumulate(Weight, sums, execution);
        }
        catch (FrameException exception)
        {
            summed = exception.Message;
        }
        bool isHalf = frame.Values == ValueMode.Fp16 && frame.A.ScaleExponent == 0 && frame.B.ScaleExponent == 0;
        if (isHalf) halves.Fill(Half.NaN);
        try
        {
            if (isHalf) frame.Decode(halves, execution);
            else halved = measured;
        }
        catch (FrameException exception)
        {
            halved = exception.Message;
        }
        if (decoded != measured || summed != measured || halved != measured)
            throw new ContradictionException($"Measure: {measured ?? "valid"}; Decode: {decoded}; Accumulate: {summed}; Decode to halves: {halved}");
        if (sizes is null) return new Verdict(identity, measured, 0, null);
        if (identity is not null) throw new ContradictionException($"ReadHeader: {identity}; Measure: valid");
        Check(frame, sizes, values, sums);
        if (isHalf) Check(values, halves);
        return new Verdict(null, null, Crc32C.Of(MemoryMarshal.AsBytes(values)), sizes);
    }

    private static void Check(Frame frame, FrameSizes sizes, ReadOnlySpan<float> values, ReadOnlySpan<double> sums)
    {
        int found = 0;
        for (int i = 0; i < values.Length; i++)
        {
            if (!float.IsFinite(values[i])) throw new ContradictionException($"value {i} is {values[i]}");
            if (sums[i] != Weight * values[i]) throw new ContradictionException($"value {i} is {values[i]}, its sum with weight {Weight} is {sums[i]}");
            if (values[i] != 0) found++;
        }
        bool fits = sizes.KeptA <= sizes.EntriesA && sizes.KeptB <= sizes.EntriesB && sizes.EntriesA + sizes.EntriesB == values.Length;
        if (!fits || found > sizes.KeptA + sizes.KeptB)
            throw new ContradictionException($"{found} of {values.Length} values are not zero, {sizes}");
        if (sizes.Framed != frame.Lengths.Framed || sizes.Coded >= sizes.Framed || sizes.Golomb < 0)
            throw new ContradictionException($"{sizes}");
    }

    private static void Check(ReadOnlySpan<float> values, ReadOnlySpan<Half> halves)
    {
        for (int i = 0; i < values.Length; i++)
            if (BitConverter.SingleToUInt32Bits((float)halves[i]) != BitConverter.SingleToUInt32Bits(values[i]))
                throw new ContradictionException($"value {i} is {values[i]}, its half {halves[i]}");
    }
}
