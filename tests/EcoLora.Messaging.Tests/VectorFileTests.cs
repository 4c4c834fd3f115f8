using System.Buffers.Binary;
using System.Text.Json.Serialization;
using EcoLora.Numerics;
using EcoLora.TestKit;

namespace EcoLora.Messaging.Tests;

public sealed record StateHeader(int Round, string Name);

[JsonSerializable(typeof(StateHeader))]
internal sealed partial class StateJson : JsonSerializerContext;

public sealed class VectorFileTests : IDisposable
{
    private readonly TemporaryFolder _temporary = new();
    private readonly DurableFolder _folder;

    public VectorFileTests() => _folder = new DurableFolder(_temporary.Path);

    public void Dispose() => _temporary.Dispose();

    [Fact]
    public void Header_and_vectors_come_back_bit_by_bit()
    {
        float[] odd = [0f, -0f, float.NaN, BitConverter.UInt32BitsToSingle(0xFFC12345), float.Epsilon, -float.MaxValue, float.NegativeInfinity];
        VectorFile.Write(_folder, "state", new StateHeader(3, "Größe"), StateJson.Default.StateHeader, odd, Array.Empty<float>(), new float[1000]);
        Assert.True(TryRead(out StateHeader header, out float[][] vectors));
        Assert.Equal(new StateHeader(3, "Größe"), header);
        Assert.Equal([7, 0, 1000], vectors.Select(v => v.Length));
        Assert.Equal(odd.Select(BitConverter.SingleToUInt32Bits), vectors[0].Select(BitConverter.SingleToUInt32Bits));
    }

    [Fact]
    public void The_bytes_are_those_of_the_documented_layout()
    {
        VectorFile.Write(_folder, "state", new StateHeader(3, "x"), StateJson.Default.StateHeader, new float[] { 1 });
        byte[] json = """{"Round":3,"Name":"x"}"""u8.ToArray();
        byte[] body = [.. "ECLV"u8, (byte)json.Length, 0, 0, 0, 1, 0, 0, 0, .. json, 1, 0, 0, 0, 0, 0, 0x80, 0x3F];
        Assert.Equal([.. body, .. BitConverter.GetBytes(Crc32C.Of(body))], _folder.Read("state")!);
    }

    [Fact]
    public void No_file_is_no_state() => Assert.False(TryRead(out _, out _));

    [Fact]
    public void A_file_without_vectors_comes_back()
    {
        VectorFile.Write(_folder, "state", new StateHeader(3, "x"), StateJson.Default.StateHeader);
        Assert.True(TryRead(out _, out float[][] vectors));
        Assert.Empty(vectors);
    }

    [Fact]
    public void Every_changed_byte_is_detected()
    {
        byte[] good = Good();
        for (int at = 0; at < good.Length; at++)
        {
            foreach (byte flip in new byte[] { 1, 0x80, 0xFF })
            {
                byte[] bytes = [.. good];
                bytes[at] ^= flip;
                AssertRefused(bytes);
            }
        }
    }

    [Fact]
    public void Every_truncation_is_detected_whatever_the_checksum()
    {
        byte[] good = Good();
        for (int length = 0; length < good.Length; length++)
        {
            AssertRefused(good[..length]);
            if (length >= 4) AssertRefused(Sealed(good[..length]));
        }
    }

    [Fact]
    public void Changed_lengths_under_a_right_checksum_are_refused_without_allocating_them()
    {
        byte[] good = Good();
        int vector = 12 + BinaryPrimitives.ReadInt32LittleEndian(good.AsSpan(4));
        foreach (int at in new[] { 4, 8, vector })
        {
            foreach (int value in new[] { -1, int.MinValue, int.MaxValue, 0x4000_0000, 1_000_000, 0 })
            {
                byte[] bytes = [.. good];
                BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(at), value);
                AssertRefused(Sealed(bytes));
            }
        }
    }

    [Fact]
    public void A_header_of_another_kind_is_refused()
    {
        byte[] json = "[1, 2]"u8.ToArray();
        AssertRefused(Sealed([.. "ECLV"u8, (byte)json.Length, 0, 0, 0, 0, 0, 0, 0, .. json, 0, 0, 0, 0]));
        AssertRefused(Sealed([.. "ECLV"u8, 4, 0, 0, 0, 0, 0, 0, 0, .. "null"u8, 0, 0, 0, 0]));
    }

    private byte[] Good()
    {
        VectorFile.Write(_folder, "state", new StateHeader(3, "x"), StateJson.Default.StateHeader, new float[] { 1, 2, 3 }, new float[] { 4 });
        return _folder.Read("state")!;
    }

    private void AssertRefused(byte[] bytes)
    {
        File.WriteAllBytes(_temporary["state"], bytes);
        var exception = Assert.Throws<StateFileException>(() => TryRead(out _, out _));
        Assert.StartsWith($"{_temporary["state"]}: expected ", exception.Message, StringComparison.Ordinal);
    }

    private static byte[] Sealed(byte[] bytes)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(^4), Crc32C.Of(bytes.AsSpan(..^4)));
        return bytes;
    }

    private bool TryRead(out StateHeader header, out float[][] vectors) =>
        VectorFile.TryRead(_folder, "state", StateJson.Default.StateHeader, out header, out vectors);
}
