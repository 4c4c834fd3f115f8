using System.Buffers.Binary;

namespace EcoLora.Codec;

/// <summary>The parameters of one role's entries in a frame.</summary>
internal sealed class SectionParameters
{
    /// <summary>The smallest and the largest scale exponent.</summary>
    public const int SmallestScale = -113, LargestScale = 126;

    private ushort[] _steps = [];

    /// <summary>Its entries.</summary>
    public SectionEntries Entries { get; } = new();

    /// <summary>e of FP16: a value is its binary16 number times 2^−e.</summary>
    public int ScaleExponent { get; set; }

    /// <summary>Blocks of each chunk but the last.</summary>
    public int BlocksPerChunk { get; set; }

    /// <summary>Number of chunks.</summary>
    public int Chunks => BlocksPerChunk == 0 ? 0 : (Entries.Blocks + BlocksPerChunk - 1) / BlocksPerChunk;

    /// <summary>
    /// e such that the largest magnitude times 2^e lies in [2^14, 2^15): all of binary16 below it is used, and small changes do not fall among its
    /// subnormals. At most 126; 0 when all entries are zero.
    /// </summary>
    public static int ScaleFor(uint largest) =>
        largest == 0 ? 0 : Math.Min(14 - Math.ILogB(BitConverter.UInt32BitsToSingle(largest)), LargestScale);

    /// <summary>The step, or with signs the magnitude, of a piece's values.</summary>
    public float Step(int piece) => BitConverter.UInt32BitsToSingle((uint)_steps[piece] << 16);

    /// <summary>Sets the step of a piece: a bfloat16 number.</summary>
    public void SetStep(int piece, float step) => _steps[piece] = (ushort)(BitConverter.SingleToUInt32Bits(step) >> 16);

    /// <summary>The entries of a role in a segment, and room for their steps.</summary>
    public void Set(LoraLayout layout, SegmentRange range, LoraRole role)
    {
        Entries.Set(layout, range, role);
        if (_steps.Length < Entries.Pieces.Length) _steps = new ushort[layout.Tensors.Count];
        (ScaleExponent, BlocksPerChunk) = (0, 0);
    }

    /// <summary>Number of entries of a chunk.</summary>
    public int EntriesOf(int chunk) => Math.Min(BlocksPerChunk * Planes.Block, Entries.Count - chunk * BlocksPerChunk * Planes.Block);

    /// <summary>Bytes that <see cref="Write"/> takes at most.</summary>
    public int MaximumSize(ValueMode mode) => 8 + (ValueFormat.HasSteps(mode) ? 2 * Entries.Pieces.Length : 0);

    /// <summary>Largest magnitude of a code that stands for a finite number: with e = −113 the largest halves would be 2^128 and more.</summary>
    public int LargestMagnitude(ValueMode mode) => mode switch
    {
        ValueMode.Fp32 => 0,
        ValueMode.Fp16 when ScaleExponent == SmallestScale => 0x77FF,
        _ => ValueFormat.MaximumMagnitude(mode),
    };

    public void Write(ref FieldWriter writer, ValueMode mode)
    {
        if (Entries.Count == 0) return;
        if (mode == ValueMode.Fp16) writer.Byte(ScaleExponent);
        if (ValueFormat.HasSteps(mode))
            foreach (ushort step in _steps.AsSpan(0, Entries.Pieces.Length))
                BinaryPrimitives.WriteUInt16LittleEndian(writer.Take(sizeof(ushort)), step);
        writer.Varint(BlocksPerChunk);
    }

    public void Read(ref FieldReader reader, ValueMode mode)
    {
        if (Entries.Count == 0) return;
        if (mode == ValueMode.Fp16)
        {
            ScaleExponent = (sbyte)reader.Byte("scale exponent");
            if (ScaleExponent is < SmallestScale or > LargestScale)
                throw new FrameException("scale exponent", $"{SmallestScale} to {LargestScale}", $"{ScaleExponent}");
        }
        if (ValueFormat.HasSteps(mode))
        {
            ReadOnlySpan<byte> steps = reader.Take("steps", 2L * Entries.Pieces.Length);
            for (int piece = 0; piece < Entries.Pieces.Length; piece++)
            {
                _steps[piece] = BinaryPrimitives.ReadUInt16LittleEndian(steps[(2 * piece)..]);
                float largest = Step(piece) * ValueFormat.MaximumMagnitude(mode);
                if (_steps[piece] > short.MaxValue || !float.IsFinite(largest))
                    throw new FrameException("steps", "0 or more, and finite values", $"{Step(piece)}");
            }
        }
        BlocksPerChunk = reader.Varint("blocks per chunk", 1, ChunkFormat.MaximumBlocks);
    }
}
