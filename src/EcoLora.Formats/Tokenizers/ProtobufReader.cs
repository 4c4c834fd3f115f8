using System.Buffers.Binary;
using System.Text;

namespace EcoLora.Formats.Tokenizers;

/// <summary>
/// Reads a protobuf message field by field. Nothing is allocated by a length in the file, and every length is held against what is there. Fields that
/// are not asked for are skipped, as the format wants.
/// </summary>
/// <param name="message">The message's bytes.</param>
/// <param name="where">File and place for refusals.</param>
internal ref struct ProtobufReader(ReadOnlySpan<byte> message, string where)
{
    private const int Varint = 0, Fixed64 = 1, Bytes = 2, Fixed32 = 5;

    private ReadOnlySpan<byte> _rest = message;
    private int _wire;

    /// <summary>Number of the field that is read next with one of the methods below.</summary>
    public int Field { get; private set; }

    /// <summary>Goes on to the next field; the value of the one before must have been read or skipped.</summary>
    public bool Next()
    {
        if (_rest.IsEmpty) return false;
        ulong tag = ReadVarint();
        if (tag >> 3 is 0 or > int.MaxValue) throw Refuse("a field number", $"tag {tag}");
        (Field, _wire) = ((int)(tag >> 3), (int)(tag & 7));
        return true;
    }

    /// <summary>Skips the field.</summary>
    public void Skip()
    {
        switch (_wire)
        {
            case Varint: ReadVarint(); break;
            case Fixed64: Take(8); break;
            case Fixed32: Take(4); break;
            case Bytes: Message(); break;
            default: throw Refuse("wire type 0, 1, 2 or 5", $"{_wire}");
        }
    }

    /// <summary>An int32 or an enum.</summary>
    public int Int32(string name)
    {
        Expect(Varint, name);
        return (int)ReadVarint();
    }

    public bool Boolean(string name) => Int32(name) != 0;

    public float Single(string name)
    {
        Expect(Fixed32, name);
        return BinaryPrimitives.ReadSingleLittleEndian(Take(4));
    }

    /// <summary>A string, which must be UTF-8.</summary>
    public string String(string name)
    {
        ReadOnlySpan<byte> bytes = Message(name);
        return System.Text.Unicode.Utf8.IsValid(bytes) ? Encoding.UTF8.GetString(bytes) : throw Refuse($"{name} in UTF-8", "other bytes");
    }

    /// <summary>The bytes of a message within, or of a bytes field.</summary>
    public ReadOnlySpan<byte> Message(string name)
    {
        Expect(Bytes, name);
        return Message();
    }

    private ReadOnlySpan<byte> Message()
    {
        ulong length = ReadVarint();
        if (length > (ulong)_rest.Length) throw Refuse($"a field of at most {_rest.Length} bytes, which are left", $"{length}");
        return Take((int)length);
    }

    private ReadOnlySpan<byte> Take(int length)
    {
        if (length > _rest.Length) throw Refuse($"{length} more bytes", $"{_rest.Length}");
        ReadOnlySpan<byte> taken = _rest[..length];
        _rest = _rest[length..];
        return taken;
    }

    private ulong ReadVarint()
    {
        ulong value = 0;
        for (int i = 0; i < 10; i++)
        {
            byte next = Take(1)[0];
            value |= (ulong)(next & 0x7F) << (7 * i);
            if (next < 0x80) return value;
        }
        throw Refuse("a number of at most 10 bytes", "a longer one");
    }

    private readonly void Expect(int wire, string name)
    {
        if (_wire != wire) throw Refuse($"{name} with wire type {wire}", $"{_wire}");
    }

    private readonly TokenizerException Refuse(string expected, string found) => new($"{where}: expected {expected}, found {found}");
}
