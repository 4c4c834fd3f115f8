using System.Buffers.Binary;
using EcoLora.Numerics;

namespace EcoLora.Local.Bench;

/// <summary>Where the parts of a frame lie, as far as its lengths say; nothing of it has to be right.</summary>
internal sealed class FrameMap
{
    private const int Fixed = 40, Checksum = sizeof(uint), MostChunks = 256;

    private readonly int[] _starts = new int[MostChunks + 1];

    /// <summary>Where the parameters begin; 0 when not even that can be told.</summary>
    public int Parameters { get; private set; }

    /// <summary>Where the head's checksum is.</summary>
    public int HeadEnd { get; private set; }

    /// <summary>Where the chunks' lengths are.</summary>
    public int Index { get; private set; }

    /// <summary>Chunks whose lengths fit.</summary>
    public int Chunks { get; private set; }

    /// <summary>Reads the lengths of a frame.</summary>
    public void Set(ReadOnlySpan<byte> frame)
    {
        (Parameters, HeadEnd, Index, Chunks) = (0, 0, 0, 0);
        if (frame.Length < Fixed + Checksum) return;
        long head = BinaryPrimitives.ReadUInt16LittleEndian(frame[6..]), end = head + BinaryPrimitives.ReadUInt32LittleEndian(frame[36..]);
        if (head < Fixed || end + Checksum > frame.Length) return;
        (Parameters, HeadEnd) = ((int)head, (int)end);
        int index = Parameters + 1, chunks = 0;
        for (int shift = 0; index < HeadEnd && shift < 28; shift += 7)
        {
            int group = frame[index++];
            chunks |= (group & 127) << shift;
            if (group < 128) break;
        }
        (Index, _starts[0]) = (index, HeadEnd + Checksum);
        for (; Chunks < Math.Min(chunks, MostChunks) && index + sizeof(uint) <= HeadEnd; index += sizeof(uint))
        {
            long next = _starts[Chunks] + (long)BinaryPrimitives.ReadUInt32LittleEndian(frame[index..]);
            if (next > frame.Length) return;
            _starts[++Chunks] = (int)next;
        }
    }

    /// <summary>The bytes of a chunk, its checksum first.</summary>
    public (int Start, int End) Chunk(int chunk) => (_starts[chunk], _starts[chunk + 1]);

    /// <summary>Gives the head and the chunks the checksums that belong to them, so that what is behind these is reached.</summary>
    public void Seal(Span<byte> frame)
    {
        if (Parameters == 0) return;
        BinaryPrimitives.WriteUInt32LittleEndian(frame[HeadEnd..], Crc32C.Of(frame[..HeadEnd]));
        for (int chunk = 0; chunk < Chunks; chunk++)
        {
            Span<byte> bytes = frame[_starts[chunk].._starts[chunk + 1]];
            if (bytes.Length >= Checksum) BinaryPrimitives.WriteUInt32LittleEndian(bytes, Crc32C.Of(bytes[Checksum..]));
        }
    }

    /// <summary>Where the part that holds a byte ends: fixed header, extension area, parameters, the head's checksum, a chunk, or the frame.</summary>
    public int PartEnd(int at, int length)
    {
        if (Parameters == 0) return length;
        if (at < HeadEnd) return at < Fixed ? Fixed : at < Parameters ? Parameters : HeadEnd;
        if (at < HeadEnd + Checksum) return HeadEnd + Checksum;
        int chunk = ChunkOf(at);
        return chunk < 0 ? length : _starts[chunk + 1];
    }

    /// <summary>Corrects the length that covers a byte, as bytes will come or go there.</summary>
    public void Resize(Span<byte> frame, int at, int by)
    {
        if (Parameters == 0 || by == 0 || at < Fixed) return;
        if (at < Parameters) BinaryPrimitives.WriteUInt16LittleEndian(frame[6..], (ushort)(Parameters + by));
        else if (at < HeadEnd) BinaryPrimitives.WriteInt32LittleEndian(frame[36..], HeadEnd - Parameters + by);
        else if (ChunkOf(at) is >= 0 and int chunk)
            BinaryPrimitives.WriteInt32LittleEndian(frame[(Index + chunk * sizeof(uint))..], _starts[chunk + 1] - _starts[chunk] + by);
    }

    /// <summary>The chunk that holds a byte; the last one also where the frame ends.</summary>
    private int ChunkOf(int at)
    {
        if (Chunks == 0 || at < _starts[0] || at > _starts[Chunks]) return -1;
        int chunk = Array.BinarySearch(_starts, 0, Chunks + 1, at);
        return chunk < 0 ? ~chunk - 1 : Math.Min(chunk, Chunks - 1);
    }
}
