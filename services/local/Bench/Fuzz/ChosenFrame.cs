using System.Buffers.Binary;
using EcoLora.Codec;
using EcoLora.Numerics;

namespace EcoLora.Local.Bench;

/// <summary>Writes valid frames with made-up choices: of <see cref="ChosenChunk"/>; besides, any scales and steps, small chunks, an extension area.</summary>
internal static class ChosenFrame
{
    /// <summary>Layouts in the order of their numbers, and how often each is taken.</summary>
    private static readonly int[] _shares = [5, 6, 5, 3, 4, 1, 0];

    /// <summary>Makes a frame.</summary>
    public static BaseFrame Make(RandomStream random)
    {
        int number = 0, roll = random.NextInt32(_shares.Sum());
        while (roll >= _shares[number]) roll -= _shares[number++];
        return new BaseFrame(number, Write(random, FuzzLayouts.All[number]));
    }

    private static byte[] Write(RandomStream random, LoraLayout layout)
    {
        bool isGlobal = random.NextInt32(4) == 0;
        int segments = isGlobal || random.NextInt32(2) == 0 ? 1 : 1 + random.NextInt32(Math.Min(layout.Length, 6));
        var header = new FrameHeader(isGlobal ? FrameKind.GlobalChange : FrameKind.Segment, random.NextUInt64(), Number(),
            isGlobal ? FrameHeader.Aggregator : Number(), random.NextInt32(segments), segments, Number(), (uint)layout.Fingerprint);
        var mode = (ValueMode)random.NextInt32((int)ValueMode.Sign + 1);
        var chunks = new List<byte[]>();
        SectionParameters a = Section(LoraRole.A), b = Section(LoraRole.B);

        byte[] parameters = new byte[16 + 4 * chunks.Count + a.MaximumSize(mode) + b.MaximumSize(mode)];
        var fields = new FieldWriter(parameters);
        fields.Byte((int)mode);
        fields.Varint(chunks.Count);
        foreach (byte[] chunk in chunks) BinaryPrimitives.WriteInt32LittleEndian(fields.Take(sizeof(int)), chunk.Length);
        a.Write(ref fields, mode);
        b.Write(ref fields, mode);

        byte[] head = new byte[FrameHeader.Size + (random.NextInt32(4) == 0 ? random.NextInt32(20) : 0)];
        header.Write(head, fields.Position);
        BinaryPrimitives.WriteUInt16LittleEndian(head.AsSpan(6), (ushort)head.Length);
        byte[] frame = [.. head, .. fields.Written, .. new byte[sizeof(uint)], .. chunks.SelectMany(chunk => chunk)];
        var map = new FrameMap();
        map.Set(frame);
        map.Seal(frame);
        return frame;

        int Number() => random.NextInt32(2) == 0 ? random.NextInt32(100) : random.NextInt32(int.MaxValue);

        SectionParameters Section(LoraRole role)
        {
            var section = new SectionParameters();
            section.Set(layout, header.Range(layout), role);
            if (section.Entries.Count == 0) return section;
            section.BlocksPerChunk = random.NextInt32(2) == 0 ? ChunkFormat.MaximumBlocks : 1 + random.NextInt32(4);
            section.ScaleExponent = mode == ValueMode.Fp16 && random.NextInt32(2) == 0 ? Scale() : 0;
            for (int piece = 0; piece < section.Entries.Pieces.Length; piece++) section.SetStep(piece, Step());
            for (int chunk = 0; chunk < section.Chunks; chunk++)
                chunks.Add(ChosenChunk.Make(random, mode, section.EntriesOf(chunk), section.LargestMagnitude(mode)));
            return section;
        }

        int Scale() => random.NextInt32(4) switch
        {
            0 => SectionParameters.SmallestScale,
            1 => SectionParameters.LargestScale,
            _ => SectionParameters.SmallestScale + random.NextInt32(SectionParameters.LargestScale - SectionParameters.SmallestScale + 1),
        };

        // A bfloat16 that 127 times is finite.
        float Step() => random.NextInt32(8) == 0 ? 0 : BitConverter.UInt32BitsToSingle((uint)random.NextInt32(0x7C00) << 16);
    }
}
