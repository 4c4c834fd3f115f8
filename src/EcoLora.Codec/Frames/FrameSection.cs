using System.Buffers.Binary;

namespace EcoLora.Codec;

/// <summary>How kept values are written.</summary>
public enum ValueMode : byte
{
    /// <summary>IEEE binary32, 4 bytes.</summary>
    Fp32 = 0,

    /// <summary>IEEE binary16 of the value times a power of two, 2 bytes (the paper's 16 bits, sign included).</summary>
    Fp16 = 1,
}

/// <summary>How the positions of kept values are written.</summary>
public enum PositionMode : byte
{
    /// <summary>All entries are kept: no positions.</summary>
    All = 0,

    /// <summary>Golomb-coded gaps (the paper's lossless coding).</summary>
    Golomb = 1,
}

/// <summary>The entries of one role in a frame: its parameters, then positions, then values.</summary>
/// <param name="Role">A or B.</param>
/// <param name="Values">Value mode.</param>
/// <param name="Positions">Position mode.</param>
/// <param name="ScaleExponent">e: an FP16 value v is v·2^−e.</param>
/// <param name="GolombParameter">M ≥ 1.</param>
/// <param name="Kept">Number of kept entries.</param>
/// <param name="PositionBytes">Bytes of coded positions.</param>
internal readonly record struct FrameSection(
    LoraRole Role, ValueMode Values, PositionMode Positions, sbyte ScaleExponent, int GolombParameter, int Kept, int PositionBytes)
{
    public const int HeaderSize = 13;

    public int ValueBytes => Kept * Width(Values);

    public static int Width(ValueMode mode) => mode == ValueMode.Fp32 ? sizeof(float) : sizeof(ushort);

    public void Write(Span<byte> destination)
    {
        destination[0] = (byte)((int)Role | (int)Values << 2 | (int)Positions << 5);
        destination[1] = (byte)ScaleExponent;
        destination[2] = 0;
        BinaryPrimitives.WriteUInt16LittleEndian(destination[3..], (ushort)GolombParameter);
        BinaryPrimitives.WriteInt32LittleEndian(destination[5..], Kept);
        BinaryPrimitives.WriteInt32LittleEndian(destination[9..], PositionBytes);
    }

    /// <summary>Reads a section and checks it against what remains of the frame and against the layout's number of entries.</summary>
    public static FrameSection Read(ReadOnlySpan<byte> body, LoraRole role, int entries)
    {
        string name = $"section {role}";
        if (body.Length < HeaderSize) throw new FrameException(name, $"{HeaderSize} bytes of parameters", $"{body.Length} bytes");
        int modes = body[0];
        if ((modes & 3) != (int)role || (modes >> 2 & 7) > (int)ValueMode.Fp16 || modes >> 5 > (int)PositionMode.Golomb || body[2] != 0)
            throw new FrameException(name, "known modes", $"{modes:X2} {body[2]:X2}");
        var section = new FrameSection(
            role,
            (ValueMode)(modes >> 2 & 7),
            (PositionMode)(modes >> 5),
            (sbyte)body[1],
            BinaryPrimitives.ReadUInt16LittleEndian(body[3..]),
            BinaryPrimitives.ReadInt32LittleEndian(body[5..]),
            BinaryPrimitives.ReadInt32LittleEndian(body[9..]));
        if (section.Kept < 0 || section.Kept > entries) throw new FrameException(name, $"0 to {entries} kept entries", $"{section.Kept}");
        if (section.Positions == PositionMode.All && (section.Kept != entries || section.PositionBytes != 0))
            throw new FrameException(name, $"all {entries} entries and no positions", $"{section.Kept} entries, {section.PositionBytes} bytes of positions");
        if (section.ScaleExponent is < SectionValues.SmallestScale or > SectionValues.LargestScale)
            throw new FrameException(name, $"a scale exponent of {SectionValues.SmallestScale} to {SectionValues.LargestScale}", $"{section.ScaleExponent}");
        if (section.GolombParameter < 1) throw new FrameException(name, "a Golomb parameter of at least 1", $"{section.GolombParameter}");
        long bytes = (long)section.PositionBytes + (long)section.Kept * Width(section.Values);
        if (section.PositionBytes < 0 || bytes > body.Length - HeaderSize)
            throw new FrameException(name, $"at most {body.Length - HeaderSize} bytes", $"{bytes}");
        return section;
    }
}
