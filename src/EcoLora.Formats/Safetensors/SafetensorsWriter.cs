using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text.Encodings.Web;
using System.Text.Json;
using EcoLora.Formats.Files;
using EcoLora.Numerics;

namespace EcoLora.Formats.Safetensors;

/// <summary>A tensor to write.</summary>
/// <param name="Name">Its name, not <c>__metadata__</c>.</param>
/// <param name="Shape">Its dimensions, row-major; their product is the number of entries.</param>
/// <param name="Data">Its entries.</param>
public sealed record SafetensorsTensor(string Name, IReadOnlyList<int> Shape, ReadOnlyMemory<float> Data);

/// <summary>Makes rows of a tensor (slices of its first dimension; all of a tensor without dimensions is one row) when they are written.</summary>
/// <param name="firstRow">Index of the first row.</param>
/// <param name="rows">How many.</param>
/// <param name="destination">Their entries, row-major, all to be written.</param>
public delegate void TensorRows(int firstRow, int rows, Span<float> destination);

/// <summary>A tensor to write that need not be in memory.</summary>
/// <param name="Name">Its name, not <c>__metadata__</c>.</param>
/// <param name="Shape">Its dimensions, row-major.</param>
/// <param name="Type">How its entries are stored.</param>
/// <param name="Rows">Makes its entries; called once for every row, in ascending order.</param>
public sealed record StreamedTensor(string Name, IReadOnlyList<int> Shape, TensorType Type, TensorRows Rows)
{
    /// <summary>Number of entries.</summary>
    public long Count => RowCount * Width;

    /// <summary>Number of bytes in a file.</summary>
    public long ByteLength => Count * TensorEntry.SizeOf(Type.ToString());

    internal long RowCount => Shape.Count == 0 ? 1 : Shape[0];

    /// <summary>Entries of a row; 2³¹ stands for more, which cannot be written.</summary>
    internal long Width => Shape.Skip(1).Aggregate(1L, (product, dimension) => Math.Min(product * dimension, 1L << 31));
}

/// <summary>
/// Writes safetensors files. The bytes depend on the tensors alone: sorted by type (F32, BF16, F16) and name (ordinal), header without white space and
/// padded with spaces to a multiple of 8, <c>__metadata__</c> = <c>{"format":"pt"}</c> unless more is given; the same bytes as the reference
/// implementation.
/// </summary>
public static class SafetensorsWriter
{
    /// <summary>What is held of a streamed tensor at a time, unless one of its rows is longer.</summary>
    private const int EntriesAtOnce = 1 << 20;

    private const int LongestRow = 1 << 28;

    /// <summary>
    /// Writes a file at once or not at all: it is written beside its place, flushed to disk and renamed. F16 and BF16 round to the nearest, ties to even;
    /// what is too large becomes an infinity.
    /// </summary>
    /// <param name="path">The file.</param>
    /// <param name="tensors">What to write.</param>
    /// <param name="type">F32, F16 or BF16.</param>
    /// <param name="metadata">Entries of <c>__metadata__</c> after <c>format</c>, written in the order of their names.</param>
    /// <exception cref="ArgumentException">A name twice or reserved, or a shape that does not fit the data.</exception>
    /// <exception cref="IOException">The disk refused; the former file, if any, is untouched.</exception>
    public static void Write(string path, IEnumerable<SafetensorsTensor> tensors, TensorType type = TensorType.F32,
        IReadOnlyDictionary<string, string>? metadata = null) => WriteStreamed(path, tensors.Select(tensor => InMemory(tensor, type)), metadata);

    /// <summary>The same for tensors whose rows are made when they are written, each in a type of its own: only some rows are in memory at a time.</summary>
    /// <param name="path">The file.</param>
    /// <param name="tensors">What to write.</param>
    /// <param name="metadata">Entries of <c>__metadata__</c> after <c>format</c>, written in the order of their names.</param>
    /// <exception cref="ArgumentException">A name twice or reserved, a negative dimension, or a row of more than 268,435,456 entries.</exception>
    /// <exception cref="IOException">The disk refused; the former file, if any, is untouched.</exception>
    public static void WriteStreamed(string path, IEnumerable<StreamedTensor> tensors, IReadOnlyDictionary<string, string>? metadata = null)
    {
        StreamedTensor[] all = [.. tensors];
        Check(all);
        // The widest first, so that every tensor is aligned; the reference implementation puts BF16 before F16.
        StreamedTensor[] sorted =
            [.. all.OrderBy(t => t.Type switch { TensorType.F32 => 0, TensorType.BF16 => 1, _ => 2 }).ThenBy(t => t.Name, StringComparer.Ordinal)];
        byte[] header = Header(sorted, metadata);
        AtomicFile.Write(path, stream =>
        {
            Span<byte> length = stackalloc byte[8];
            BinaryPrimitives.WriteUInt64LittleEndian(length, (ulong)header.Length);
            stream.Write(length);
            stream.Write(header);
            foreach (StreamedTensor tensor in sorted) WriteData(stream, tensor);
        });
    }

    private static StreamedTensor InMemory(SafetensorsTensor tensor, TensorType type)
    {
        var streamed = new StreamedTensor(tensor.Name, tensor.Shape, type, (firstRow, rows, destination) =>
            tensor.Data.Span.Slice(rows == 0 ? 0 : firstRow * (destination.Length / rows), destination.Length).CopyTo(destination));
        Check([streamed]);
        if (streamed.Count != tensor.Data.Length)
            throw new ArgumentException(
                $"tensor '{tensor.Name}': expected {string.Join(" × ", tensor.Shape)} = {streamed.Count} entries, found {tensor.Data.Length}", nameof(tensor));
        return streamed;
    }

    private static void Check(StreamedTensor[] tensors)
    {
        var names = new HashSet<string>(StringComparer.Ordinal);
        foreach (StreamedTensor tensor in tensors)
        {
            if (tensor.Name == "__metadata__") throw new ArgumentException("a tensor may not be named __metadata__", nameof(tensors));
            if (!names.Add(tensor.Name)) throw new ArgumentException($"expected each name once, found '{tensor.Name}' twice", nameof(tensors));
            foreach (int dimension in tensor.Shape) ArgumentOutOfRangeException.ThrowIfNegative(dimension, nameof(tensors));
            if (tensor.Width > LongestRow) throw new ArgumentException($"tensor '{tensor.Name}': expected rows of at most {LongestRow} entries, found more", nameof(tensors));
        }
    }

    private static byte[] Header(StreamedTensor[] tensors, IReadOnlyDictionary<string, string>? metadata)
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
        {
            long offset = 0;
            json.WriteStartObject();
            json.WriteStartObject("__metadata__");
            json.WriteString("format", "pt");
            foreach ((string name, string value) in (metadata ?? new Dictionary<string, string>()).OrderBy(entry => entry.Key, StringComparer.Ordinal))
                json.WriteString(name, value);
            json.WriteEndObject();
            foreach (StreamedTensor tensor in tensors)
            {
                json.WriteStartObject(tensor.Name);
                json.WriteString("dtype", tensor.Type.ToString());
                json.WriteStartArray("shape");
                foreach (int dimension in tensor.Shape) json.WriteNumberValue(dimension);
                json.WriteEndArray();
                json.WriteStartArray("data_offsets");
                json.WriteNumberValue(offset);
                json.WriteNumberValue(offset += tensor.ByteLength);
                json.WriteEndArray();
                json.WriteEndObject();
            }
            json.WriteEndObject();
        }
        while (buffer.Length % 8 != 0) buffer.WriteByte((byte)' ');
        return buffer.ToArray();
    }

    private static void WriteData(Stream stream, StreamedTensor tensor)
    {
        if (tensor.Count == 0) return;
        long width = tensor.Width;
        int most = (int)Math.Clamp(EntriesAtOnce / width, 1, tensor.RowCount);
        float[] buffer = new float[most * width];
        ushort[] narrow = new ushort[tensor.Type == TensorType.F32 ? 0 : buffer.Length];
        for (int row = 0, rows; row < tensor.RowCount; row += rows)
        {
            rows = (int)Math.Min(most, tensor.RowCount - row);
            Span<float> part = buffer.AsSpan(0, (int)(rows * width));
            tensor.Rows(row, rows, part);
            stream.Write(tensor.Type == TensorType.F32 ? MemoryMarshal.AsBytes(part) : MemoryMarshal.AsBytes(Narrow(part, narrow, tensor.Type)));
        }
    }

    private static Span<ushort> Narrow(ReadOnlySpan<float> values, Span<ushort> narrow, TensorType type)
    {
        if (type == TensorType.F16) for (int i = 0; i < values.Length; i++) narrow[i] = FloatConversion.NarrowHalf(values[i]);
        else for (int i = 0; i < values.Length; i++) narrow[i] = FloatConversion.NarrowBrain(values[i]);
        return narrow[..values.Length];
    }
}
