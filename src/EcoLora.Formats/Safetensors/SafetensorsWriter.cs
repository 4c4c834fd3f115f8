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

/// <summary>
/// Writes safetensors files. The bytes depend on the tensors alone: sorted by name (ordinal), header without white space and padded with spaces
/// to a multiple of 8, <c>__metadata__</c> = <c>{"format":"pt"}</c> unless more is given; the same bytes as the reference implementation for tensors of
/// one type.
/// </summary>
public static class SafetensorsWriter
{
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
        IReadOnlyDictionary<string, string>? metadata = null)
    {
        SafetensorsTensor[] sorted = [.. tensors.OrderBy(t => t.Name, StringComparer.Ordinal)];
        for (int i = 0; i < sorted.Length; i++) Check(sorted[i], i == 0 ? null : sorted[i - 1].Name);
        byte[] header = Header(sorted, type, metadata);
        AtomicFile.Write(path, stream =>
        {
            Span<byte> length = stackalloc byte[8];
            BinaryPrimitives.WriteUInt64LittleEndian(length, (ulong)header.Length);
            stream.Write(length);
            stream.Write(header);
            foreach (SafetensorsTensor tensor in sorted) WriteData(stream, tensor.Data.Span, type);
        });
    }

    private static void Check(SafetensorsTensor tensor, string? former)
    {
        if (tensor.Name == "__metadata__") throw new ArgumentException("a tensor may not be named __metadata__", nameof(tensor));
        if (tensor.Name == former) throw new ArgumentException($"expected each name once, found '{tensor.Name}' twice", nameof(tensor));
        long count = 1;
        foreach (int dimension in tensor.Shape)
        {
            ArgumentOutOfRangeException.ThrowIfNegative(dimension);
            count = dimension == 0 ? 0 : Math.Min(count * dimension, 1L << 31);
        }
        if (count != tensor.Data.Length)
            throw new ArgumentException(
                $"tensor '{tensor.Name}': expected {string.Join(" × ", tensor.Shape)} = {count} entries, found {tensor.Data.Length}", nameof(tensor));
    }

    private static byte[] Header(SafetensorsTensor[] tensors, TensorType type, IReadOnlyDictionary<string, string>? metadata)
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
            foreach (SafetensorsTensor tensor in tensors)
            {
                json.WriteStartObject(tensor.Name);
                json.WriteString("dtype", type.ToString());
                json.WriteStartArray("shape");
                foreach (int dimension in tensor.Shape) json.WriteNumberValue(dimension);
                json.WriteEndArray();
                json.WriteStartArray("data_offsets");
                json.WriteNumberValue(offset);
                json.WriteNumberValue(offset += tensor.Data.Length * (long)TensorEntry.SizeOf(type.ToString()));
                json.WriteEndArray();
                json.WriteEndObject();
            }
            json.WriteEndObject();
        }
        while (buffer.Length % 8 != 0) buffer.WriteByte((byte)' ');
        return buffer.ToArray();
    }

    private static void WriteData(Stream stream, ReadOnlySpan<float> data, TensorType type)
    {
        if (type == TensorType.F32)
        {
            const int Most = 1 << 28;
            for (; data.Length > Most; data = data[Most..]) stream.Write(MemoryMarshal.AsBytes(data[..Most]));
            stream.Write(MemoryMarshal.AsBytes(data));
            return;
        }
        ushort[] narrow = new ushort[Math.Min(data.Length, 1 << 14)];
        for (int done = 0; done < data.Length; done += narrow.Length)
        {
            ReadOnlySpan<float> part = data.Slice(done, Math.Min(narrow.Length, data.Length - done));
            for (int i = 0; i < part.Length; i++)
                narrow[i] = type == TensorType.F16 ? FloatConversion.NarrowHalf(part[i]) : FloatConversion.NarrowBrain(part[i]);
            stream.Write(MemoryMarshal.AsBytes(narrow.AsSpan(0, part.Length)));
        }
    }
}
