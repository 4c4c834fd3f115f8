using System.Buffers.Binary;

namespace EcoLora.Codec;

/// <summary>One accepted frame in a stack.</summary>
/// <param name="Client">Its sender.</param>
/// <param name="Samples">n_k, the numerator of its weight; 1 or more.</param>
/// <param name="Frame">The segment's frame, byte for byte as it came.</param>
public sealed record StackEntry(int Client, int Samples, ReadOnlyMemory<byte> Frame);

/// <summary>
/// The downlink of a method that stacks (FLoRA): the accepted segments' frames in slot order, as they are, with the numerators of their weights. Nothing is coded again, so
/// nothing is lost. Its layout in bytes is in FORMAT.md.
/// </summary>
public sealed class StackFrame
{
    /// <summary>Most bytes of a stack.</summary>
    private const long Largest = 1L << 30;

    private StackFrame(FrameHeader header, IReadOnlyList<StackEntry> entries) => (Header, Entries) = (header, entries);

    /// <summary>The stack's identity.</summary>
    public FrameHeader Header { get; }

    /// <summary>The frames, in slot order; their identities are checked, their chunks and layouts are not.</summary>
    public IReadOnlyList<StackEntry> Entries { get; }

    /// <summary>Writes a stack.</summary>
    /// <param name="header">Its identity.</param>
    /// <param name="entries">The accepted frames in slot order, each client once; may be none.</param>
    /// <exception cref="ArgumentException">The identity is not a stack's, or all frames together are larger than 1 GiB.</exception>
    public static byte[] Write(FrameHeader header, IReadOnlyList<StackEntry> entries)
    {
        if (header.Kind != FrameKind.Stack) throw new ArgumentException($"expected the identity of a stack, found {header}", nameof(header));
        int index = FieldWriter.VarintBytes(entries.Count) + entries.Sum(entry => FieldWriter.VarintBytes(entry.Client) + FieldWriter.VarintBytes(entry.Samples) + sizeof(uint));
        int head = FrameHeader.Size + index + sizeof(uint);
        long length = head + entries.Sum(entry => (long)entry.Frame.Length);
        if (length > Largest) throw new ArgumentException($"expected a stack of at most {Largest} bytes, found {length}", nameof(entries));
        byte[] bytes = new byte[length];
        header.Write(bytes, index);
        var writer = new FieldWriter(bytes.AsSpan(FrameHeader.Size, index));
        writer.Varint(entries.Count);
        foreach (StackEntry entry in entries)
        {
            writer.Varint(entry.Client);
            writer.Varint(entry.Samples);
            BinaryPrimitives.WriteInt32LittleEndian(writer.Take(sizeof(uint)), entry.Frame.Length);
        }
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(head - sizeof(uint)), Numerics.Crc32C.Of(bytes.AsSpan(0, head - sizeof(uint))));
        int at = head;
        foreach (StackEntry entry in entries)
        {
            entry.Frame.Span.CopyTo(bytes.AsSpan(at));
            at += entry.Frame.Length;
        }
        return bytes;
    }

    /// <summary>Checks the head, the index, and that each frame is a whole segment frame of the entry's client and of the stack's run, round and base version.</summary>
    /// <param name="bytes">The stack; kept, not copied.</param>
    /// <exception cref="FrameException">The bytes are not a stack.</exception>
    public static StackFrame Open(ReadOnlyMemory<byte> bytes)
    {
        (FrameHeader header, Range parameters) = FrameHeader.Read(bytes.Span);
        if (header.Kind != FrameKind.Stack) throw new FrameException("kind", "a stack", $"{header}");
        (int Client, int Samples, Range Frame)[] index = Check(header, bytes.Span, parameters);
        return new StackFrame(header, [.. index.Select(entry => new StackEntry(entry.Client, entry.Samples, bytes[entry.Frame]))]);
    }

    /// <summary>Checks all that can be checked without the run.</summary>
    internal static (int Client, int Samples, Range Frame)[] Check(FrameHeader header, ReadOnlySpan<byte> bytes, Range parameters)
    {
        var reader = new FieldReader(bytes[parameters]);
        var index = new (int Client, int Samples, Range Frame)[reader.Varint("frames", 0, reader.Left / 6)];
        var clients = new HashSet<int>();
        long at = parameters.End.Value + sizeof(uint);
        for (int i = 0; i < index.Length; i++)
        {
            int client = reader.Varint("client", 0, int.MaxValue), samples = reader.Varint("samples", 1, int.MaxValue);
            uint length = BinaryPrimitives.ReadUInt32LittleEndian(reader.Take("frame length", sizeof(uint)));
            if (!clients.Add(client)) throw new FrameException("client", "each client once", $"client {client} again");
            if (at + length > bytes.Length) throw new FrameException("length", $"at least {at + length} bytes", $"{bytes.Length}");
            index[i] = (client, samples, (int)at..(int)(at + length));
            at += length;
        }
        if (reader.Left != 0) throw new FrameException("parameters", "their end", $"{reader.Left} more bytes");
        if (at != bytes.Length) throw new FrameException("length", $"{at} bytes", $"{bytes.Length}");
        foreach ((int client, _, Range range) in index)
        {
            // A stack in a stack is refused by its kind before it is read further.
            if (FrameHeader.Read(bytes[range]).Header.Kind != FrameKind.Segment) throw new FrameException("kind", "segments in a stack", "another");
            FrameHeader frame = Frame.ReadHeader(bytes[range]);
            if (frame.Client != client) throw new FrameException("client", $"{client}", $"{frame.Client}");
            if (frame.RunKey != header.RunKey) throw new FrameException("run", $"{header.RunKey:x16}", $"{frame.RunKey:x16}");
            if (frame.Round != header.Round) throw new FrameException("round", $"{header.Round}", $"{frame.Round}");
            if (frame.BaseVersion != header.BaseVersion) throw new FrameException("base version", $"{header.BaseVersion}", $"{frame.BaseVersion}");
        }
        return index;
    }
}
