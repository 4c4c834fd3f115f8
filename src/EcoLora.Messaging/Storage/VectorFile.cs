using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using EcoLora.Numerics;

namespace EcoLora.Messaging;

/// <summary>
/// A durable state file: a small JSON header, then float vectors, then a checksum. Layout, little-endian: "ECLV", header length (u32), vector count
/// (u32), header (UTF-8), per vector its length (u32) and its binary32 values, CRC-32C of all before (u32).
/// </summary>
public static class VectorFile
{
    private const int FixedSize = 12;

    private static ReadOnlySpan<byte> Magic => "ECLV"u8;

    /// <summary>Writes the file atomically.</summary>
    public static void Write<T>(DurableFolder folder, string name, T header, JsonTypeInfo<T> type, params ReadOnlySpan<ReadOnlyMemory<float>> vectors)
    {
        byte[] json = JsonSerializer.SerializeToUtf8Bytes(header, type);
        long size = FixedSize + json.Length + sizeof(uint);
        foreach (ReadOnlyMemory<float> vector in vectors) size += sizeof(uint) + (long)vector.Length * sizeof(float);
        byte[] bytes = new byte[checked((int)size)];
        Magic.CopyTo(bytes);
        BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(4), json.Length);
        BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(8), vectors.Length);
        json.CopyTo(bytes, FixedSize);
        int at = FixedSize + json.Length;
        foreach (ReadOnlyMemory<float> vector in vectors)
        {
            BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(at), vector.Length);
            MemoryMarshal.AsBytes(vector.Span).CopyTo(bytes.AsSpan(at + sizeof(uint)));
            at += sizeof(uint) + vector.Length * sizeof(float);
        }
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(at), Crc32C.Of(bytes.AsSpan(0, at)));
        folder.Write(name, bytes);
    }

    /// <summary>Reads the file, or returns false when there is none.</summary>
    /// <exception cref="StateFileException">The file is not what <see cref="Write"/> wrote.</exception>
    public static bool TryRead<T>(DurableFolder folder, string name, JsonTypeInfo<T> type, out T header, out float[][] vectors)
        where T : class
    {
        header = null!;
        vectors = [];
        if (folder.Read(name) is not { } bytes) return false;
        string path = folder.FileAt(name);
        if (bytes.Length < FixedSize + sizeof(uint) || !bytes.AsSpan().StartsWith(Magic)) throw new StateFileException(path, "a state file", "other bytes");
        ReadOnlySpan<byte> body = bytes.AsSpan(..^sizeof(uint));
        uint stated = BinaryPrimitives.ReadUInt32LittleEndian(bytes.AsSpan(^sizeof(uint)..)), found = Crc32C.Of(body);
        if (stated != found) throw new StateFileException(path, $"checksum {stated:x8}", $"{found:x8}");
        uint json = BinaryPrimitives.ReadUInt32LittleEndian(body[4..]), count = BinaryPrimitives.ReadUInt32LittleEndian(body[8..]);
        if (json > body.Length - FixedSize) throw new StateFileException(path, $"a header of at most {body.Length - FixedSize} bytes", $"{json}");
        ReadOnlySpan<byte> rest = body[(FixedSize + (int)json)..];
        if (count > rest.Length / sizeof(uint)) throw new StateFileException(path, $"at most {rest.Length / sizeof(uint)} vectors", $"{count}");
        header = ReadHeader(path, body.Slice(FixedSize, (int)json), type);
        vectors = new float[count][];
        for (int i = 0; i < vectors.Length; i++)
        {
            if (rest.Length < sizeof(uint)) throw new StateFileException(path, $"vector {i}", "the end");
            uint length = BinaryPrimitives.ReadUInt32LittleEndian(rest);
            rest = rest[sizeof(uint)..];
            if (length > rest.Length / sizeof(float))
                throw new StateFileException(path, $"at most {rest.Length / sizeof(float)} entries in vector {i}", $"{length}");
            vectors[i] = MemoryMarshal.Cast<byte, float>(rest[..((int)length * sizeof(float))]).ToArray();
            rest = rest[((int)length * sizeof(float))..];
        }
        if (!rest.IsEmpty) throw new StateFileException(path, "nothing after the last vector", $"{rest.Length} bytes");
        return true;
    }

    private static T ReadHeader<T>(string path, ReadOnlySpan<byte> json, JsonTypeInfo<T> type)
        where T : class
    {
        try
        {
            return JsonSerializer.Deserialize(json, type) ?? throw new StateFileException(path, "a header", "null");
        }
        catch (JsonException exception)
        {
            throw new StateFileException(path, "a header", exception.Message);
        }
    }
}

/// <summary>A state file of this product that was damaged.</summary>
/// <param name="path">The file.</param>
/// <param name="expected">What was expected in it.</param>
/// <param name="found">What was found.</param>
public sealed class StateFileException(string path, string expected, string found) : FormatException($"{path}: expected {expected}, found {found}");
