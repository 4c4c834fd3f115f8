using System.Text.Json;
using EcoLora.Formats.Json;

namespace EcoLora.Formats.Safetensors;

/// <summary>
/// The JSON part of a safetensors file, read and checked before anything else is touched. The rules are the reference implementation's
/// (huggingface/safetensors, README "Format" and "Notes"): at most 100,000,000 bytes, an object from its first byte, no name twice, tensors that
/// fill the data part without overlap or hole, shape × element size = length.
/// </summary>
internal sealed class SafetensorsHeader
{
    public const int LongestHeader = 100_000_000;
    private const int LargestRank = 16;

    private readonly string _file;
    private readonly long _dataStart;

    private SafetensorsHeader(string file, long dataStart) => (_file, _dataStart) = (file, dataStart);

    /// <summary>Tensors by name, in the order of their bytes.</summary>
    public List<TensorEntry> Tensors { get; } = [];

    /// <summary>The <c>__metadata__</c> member; empty when absent.</summary>
    public Dictionary<string, string> Metadata { get; } = new(StringComparer.Ordinal);

    /// <summary>Reads the header's JSON of a file that is <paramref name="fileLength"/> bytes long in all.</summary>
    /// <exception cref="SafetensorsException">Any rule is broken.</exception>
    public static SafetensorsHeader Parse(ReadOnlySpan<byte> json, string file, long fileLength)
    {
        var header = new SafetensorsHeader(file, 8L + json.Length);
        if (json.Length == 0 || json[0] != (byte)'{') throw Fault(file, "header: expected '{' as its first byte, found another");
        if (!System.Text.Unicode.Utf8.IsValid(json)) throw Fault(file, "header: expected UTF-8, found other bytes");
        try
        {
            header.ReadMembers(json);
        }
        catch (Exception fault) when (fault is JsonException or InvalidOperationException)
        {
            throw Fault(file, $"header: expected well-formed JSON, found: {PrintableText.Of(fault.Message)}");
        }
        header.CheckOffsets(fileLength);
        return header;
    }

    private static SafetensorsException Fault(string file, string text) => new($"{file}: {text}");

    private void ReadMembers(ReadOnlySpan<byte> json)
    {
        var reader = new Utf8JsonReader(json, new JsonReaderOptions { MaxDepth = 8 });
        var names = new HashSet<string>(StringComparer.Ordinal);
        reader.Read();
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            string name = reader.GetString()!;
            if (!names.Add(name)) throw Fault(_file, $"header: expected each name once, found '{PrintableText.Of(name)}' twice");
            reader.Read();
            if (name == "__metadata__") ReadMetadata(ref reader);
            else Tensors.Add(ReadTensor(ref reader, name));
        }
        while (reader.Read())
        {
            // Only white space may follow; the reader refuses anything else.
        }
    }

    private void ReadMetadata(ref Utf8JsonReader reader)
    {
        Expect(reader.TokenType == JsonTokenType.StartObject, "__metadata__", "an object");
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            string name = reader.GetString()!;
            reader.Read();
            Expect(reader.TokenType == JsonTokenType.String, "__metadata__", $"text as '{PrintableText.Of(name)}'");
            Expect(Metadata.TryAdd(name, reader.GetString()!), "__metadata__", $"'{PrintableText.Of(name)}' once");
        }
    }

    private TensorEntry ReadTensor(ref Utf8JsonReader reader, string name)
    {
        string? type = null;
        List<long>? shape = null, offsets = null;
        Expect(reader.TokenType == JsonTokenType.StartObject, name, "an object with dtype, shape and data_offsets");
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            string member = reader.GetString()!;
            reader.Read();
            switch (member)
            {
                case "dtype" when type is null && reader.TokenType == JsonTokenType.String:
                    type = reader.GetString()!;
                    break;
                case "shape" when shape is null:
                    shape = ReadNumbers(ref reader, name, member, LargestRank);
                    break;
                case "data_offsets" when offsets is null:
                    offsets = ReadNumbers(ref reader, name, member, 2);
                    break;
                default:
                    throw Refusal(name, "dtype (text), shape and data_offsets once each", $"'{PrintableText.Of(member)}' too");
            }
        }
        if (type is null || shape is null || offsets is not { Count: 2 })
            throw Refusal(name, "dtype, shape and two data_offsets", "fewer");
        if (offsets[0] > offsets[1])
            throw Refusal(name, "data_offsets in rising order", $"{offsets[0]} and {offsets[1]}");
        var entry = new TensorEntry(name, type, shape, offsets[0], offsets[1] - offsets[0]);
        CheckLength(entry);
        return entry;
    }

    private List<long> ReadNumbers(ref Utf8JsonReader reader, string name, string member, int most)
    {
        Expect(reader.TokenType == JsonTokenType.StartArray, name, $"a list as {member}");
        var numbers = new List<long>(2);
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            Expect(numbers.Count < most, name, $"at most {most} numbers in {member}");
            bool valid = reader.TokenType == JsonTokenType.Number && reader.TryGetInt64(out long number) && number >= 0;
            Expect(valid, name, $"whole numbers from 0 in {member}");
            numbers.Add(reader.GetInt64());
        }
        return numbers;
    }

    private void CheckLength(TensorEntry entry)
    {
        int size = TensorEntry.SizeOf(entry.Type);
        if (size == 0) return; // An unknown dtype is refused when the tensor is read.
        UInt128 length = (UInt128)size;
        foreach (long dimension in entry.Shape)
        {
            length *= (UInt128)dimension;
            if (length > long.MaxValue)
                throw Refusal(entry.Name, $"at most {long.MaxValue} bytes", $"shape {entry.ShapeText}");
        }
        if (length != (UInt128)entry.ByteLength)
            throw Refusal(entry.Name, $"{entry.ShapeText} × {size} = {length} bytes", $"{entry.ByteLength}");
    }

    private void CheckOffsets(long fileLength)
    {
        Tensors.Sort((a, b) => (a.Offset, a.ByteLength).CompareTo((b.Offset, b.ByteLength)));
        long end = 0, dataLength = fileLength - _dataStart;
        for (int i = 0; i < Tensors.Count; i++)
        {
            TensorEntry entry = Tensors[i];
            if (entry.Offset != end)
                throw Refusal(entry.Name, $"its data at {end}, after the tensor before it", $"{entry.Offset}");
            if (entry.ByteLength > dataLength - end)
                throw Refusal(entry.Name, $"{entry.ByteLength} bytes at {end}", $"the file cut off after {dataLength} bytes of data");
            end += entry.ByteLength;
            Tensors[i] = entry with { Offset = _dataStart + entry.Offset };
        }
        if (end != dataLength) throw Fault(_file, $"expected {end} bytes of data as the header says, found {dataLength}");
    }

    private void Expect(bool holds, string name, string expected)
    {
        if (!holds) throw Refusal(name, expected, "something else");
    }

    private SafetensorsException Refusal(string tensor, string expected, string found) =>
        new($"{_file}: tensor '{PrintableText.Of(tensor)}': expected {expected}, found {found}");
}
