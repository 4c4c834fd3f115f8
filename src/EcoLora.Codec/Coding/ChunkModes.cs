namespace EcoLora.Codec;

/// <summary>How the positions of a chunk's sent entries are written.</summary>
internal enum ChunkPositions : byte
{
    /// <summary>All entries are sent: no positions.</summary>
    All = 0,

    /// <summary>One bit per entry.</summary>
    Bitmap = 1,

    /// <summary>Golomb-coded gaps, the paper's lossless coding.</summary>
    Golomb = 2,

    /// <summary>A tree of nibbles, entropy-coded.</summary>
    Entropy = 3,
}

/// <summary>What the reader and the writer of a chunk share.</summary>
internal static class ChunkFormat
{
    /// <summary>Bit of the mode byte: values are cut into tokens, which are entropy-coded, and low bits.</summary>
    public const int TokenFlag = 4;

    /// <summary>Most blocks of a chunk.</summary>
    public const int MaximumBlocks = 8192;

    /// <summary>Most entries of a chunk.</summary>
    public const int MaximumEntries = MaximumBlocks * Planes.Block;

    /// <summary>Bytes of the states' 15 free bits.</summary>
    public static int CarriedBytes(int lanes) => 15 * lanes / 8;

    /// <summary>Bytes of values as they are.</summary>
    public static long RawBytes(ValueMode mode, int values, bool all) => (values * (long)ValueFormat.RawBits(mode, all) + 7) / 8;

    /// <summary>Bytes of Golomb-coded positions with the best parameter, and of the parameter and their number if asked for.</summary>
    public static unsafe int GolombBytes(byte* bitmap, int kept, int entries, bool withFields)
    {
        int parameter = GolombPositions.ParameterFor(kept, entries);
        int bytes = (int)((GolombPositions.Bits(new ReadOnlySpan<ulong>(bitmap, (entries + 63) / 64), parameter) + 7) / 8);
        return withFields ? bytes + FieldWriter.VarintBytes(parameter) + FieldWriter.VarintBytes(bytes) : bytes;
    }

    /// <summary>Lanes for a number of symbols: all of the vector kernels' where the 2 bytes that each costs do not show, otherwise few.</summary>
    public static int LanesFor(long symbols)
    {
        if (symbols >= 1 << 16) return RansDecoder.VectorLanes;
        int lanes = 1;
        while (lanes < 32 && lanes * 2048L <= symbols) lanes *= 2;
        return lanes;
    }
}
