using System.Buffers.Binary;
using System.Text;

namespace EcoLora.Formats.Tests.Tokenizers;

/// <summary>Writes a tokenizer.model by hand: field by field, in the wire format of protobuf.</summary>
internal sealed class ModelProto
{
    public const int Normal = 1, Unknown = 2, Control = 3, UserDefined = 4, Unused = 5, Byte = 6;

    private readonly List<byte> _bytes = [];

    /// <summary>
    /// Pieces <c>&lt;unk&gt;</c> 0, <c>&lt;s&gt;</c> 1, <c>&lt;/s&gt;</c> 2, ▁ 3, a 4, b 5, c 6, bc 7 (score 0), ▁a 8 (−1), ab 9 (−1), abc 10 (−2), and further ones.
    /// </summary>
    public static ModelProto Pieces(params (string Text, float Score, int Type)[] further)
    {
        var model = new ModelProto();
        (string, float, int)[] pieces =
        [
            ("<unk>", 0, Unknown), ("<s>", 0, Control), ("</s>", 0, Control), ("▁", -9, Normal), ("a", -9, Normal), ("b", -9, Normal), ("c", -9, Normal),
            ("bc", 0, Normal), ("▁a", -1, Normal), ("ab", -1, Normal), ("abc", -2, Normal), .. further,
        ];
        foreach ((string text, float score, int type) in pieces)
            model.Message(1, piece => piece.Text(1, text).Single(2, score).Number(3, type));
        return model;
    }

    /// <summary>The small model with what BPE without normalisation needs, and more fields.</summary>
    public static byte[] Small(Action<ModelProto>? trainer = null, Action<ModelProto>? normalizer = null, params (string Text, float Score, int Type)[] further) =>
        Pieces(further).Message(2, spec =>
        {
            spec.Number(3, 2);
            trainer?.Invoke(spec);
        }).Message(3, spec =>
        {
            spec.Number(4, 0);
            normalizer?.Invoke(spec);
        }).ToArray();

    public static (string Text, float Score, int Type)[] AllBytes { get; } = [.. Enumerable.Range(0, 256).Select(b => ($"<0x{b:X2}>", 0f, Byte))];

    public ModelProto Number(int field, long value) => Varint((ulong)field << 3).Varint((ulong)value);

    public ModelProto Text(int field, string text) => Bytes(field, Encoding.UTF8.GetBytes(text));

    public ModelProto Single(int field, float value)
    {
        byte[] bytes = new byte[4];
        BinaryPrimitives.WriteSingleLittleEndian(bytes, value);
        return Varint(((ulong)field << 3) | 5).Raw(bytes);
    }

    public ModelProto Message(int field, Action<ModelProto> content)
    {
        var inner = new ModelProto();
        content(inner);
        return Bytes(field, inner.ToArray());
    }

    public ModelProto Bytes(int field, byte[] bytes) => Varint(((ulong)field << 3) | 2).Varint((ulong)bytes.Length).Raw(bytes);

    public ModelProto Raw(params byte[] bytes)
    {
        _bytes.AddRange(bytes);
        return this;
    }

    public byte[] ToArray() => [.. _bytes];

    private ModelProto Varint(ulong value)
    {
        for (; value >= 0x80; value >>= 7) _bytes.Add((byte)(value | 0x80));
        _bytes.Add((byte)value);
        return this;
    }
}
