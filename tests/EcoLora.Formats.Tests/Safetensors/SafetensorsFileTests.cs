using System.Buffers.Binary;
using EcoLora.Formats.Safetensors;
using EcoLora.TestKit;

namespace EcoLora.Formats.Tests.Safetensors;

public sealed class SafetensorsFileTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void A_file_of_the_reference_implementation_comes_back_byte_for_byte()
    {
        string path = SharedData.Path("model/stories260K-hf/model.safetensors");
        using SafetensorsFile file = SafetensorsFile.Open(path);
        Assert.Equal(47, file.Tensors.Count);
        Assert.Equal("pt", file.Metadata["format"]);
        Assert.Equal(["512", "64"], file["model.embed_tokens.weight"].Shape.Select(d => $"{d}"));
        var tensors = new List<SafetensorsTensor>();
        foreach (TensorEntry entry in file.Tensors.Reverse())
        {
            float[] data = new float[entry.ByteLength / 4];
            file.Read(entry.Name, data);
            tensors.Add(new SafetensorsTensor(entry.Name, [.. entry.Shape.Select(d => (int)d)], data));
        }
        SafetensorsWriter.Write(_folder["copy.safetensors"], tensors);
        Assert.Equal(File.ReadAllBytes(path), File.ReadAllBytes(_folder["copy.safetensors"]));
        Assert.Equal(["copy.safetensors"], Directory.GetFiles(_folder.Path).Select(Path.GetFileName));
    }

    [Fact]
    public void Rows_are_read_alone()
    {
        using SafetensorsFile file = Write([new("m", [3, 2], new float[] { 1, 2, 3, 4, 5, 6 }), new("s", [], new float[] { 7 }),
            new("v", [4], new float[] { 8, 9, 10, 11 }), new("e", [0, 5], Array.Empty<float>())]);
        float[] rows = new float[4];
        file.ReadRows("m", 1, 2, rows);
        Assert.Equal([3, 4, 5, 6], rows);
        file.ReadRows("v", 2, 2, rows.AsSpan(0, 2));
        Assert.Equal([10, 11], rows[..2]);
        file.Read("s", rows.AsSpan(0, 1));
        Assert.Equal(7, rows[0]);
        file.Read("e", []);
        file.ReadRows("m", 3, 0, []);
        Assert.Equal(16, file.Bytes("v").Length);
        Assert.Equal(8f, BinaryPrimitives.ReadSingleLittleEndian(file.Bytes("v")));
    }

    [Theory]
    [InlineData(-1, 1)]
    [InlineData(3, 1)]
    [InlineData(0, 4)]
    [InlineData(2, long.MaxValue)]
    [InlineData(long.MaxValue, 1)]
    [InlineData(0, -1)]
    public void Rows_outside_the_tensor_are_refused(long first, long count)
    {
        using SafetensorsFile file = Write([new("m", [3, 2], new float[6])]);
        Assert.Throws<SafetensorsException>(() => file.ReadRows("m", first, count, new float[2]));
    }

    [Fact]
    public void What_is_not_there_or_does_not_fit_is_named()
    {
        using SafetensorsFile file = Write([new("m", [3, 2], new float[6])]);
        Assert.Equal($"{file.Path}: tensor 'nö\\u000away': expected this tensor, found none of that name",
            Assert.Throws<SafetensorsException>(() => file["nö\nway"]).Message);
        Assert.Equal($"{file.Path}: tensor 'm': expected 5 entries, found 3 × 2 = 6",
            Assert.Throws<SafetensorsException>(() => file.Read("m", new float[5])).Message);
        Assert.Throws<SafetensorsException>(() => SafetensorsFile.Open(_folder["absent.safetensors"]));
    }

    [Theory]
    [InlineData("I64", 8)]
    [InlineData("BOOL", 1)]
    [InlineData("F4", 3)]
    [InlineData("no such\n type", 5)]
    public void Other_dtypes_are_refused_only_when_read(string type, int bytes)
    {
        string escaped = type.Replace("\n", "\\n", StringComparison.Ordinal);
        string first = $$"""{"dtype":"{{escaped}}","shape":[1],"data_offsets":[0,{{bytes}}]}""";
        string second = $$"""{"dtype":"F32","shape":[1],"data_offsets":[{{bytes}},{{bytes + 4}}]}""";
        string header = $$"""{"a":{{first}},"b":{{second}} }""";
        using SafetensorsFile file = Open(SafetensorsBytes.File(header, bytes + 4));
        file.Read("b", new float[1]);
        Assert.Equal(bytes, file.Bytes("a").Length);
        SafetensorsException refusal = Assert.Throws<SafetensorsException>(() => file.Read("a", new float[1]));
        Assert.Contains("expected dtype F32, F16 or BF16, found " + type.Replace("\n", "\\u000a", StringComparison.Ordinal), refusal.Message,
            StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(TensorType.F16, new ushort[] { 0x3C00, 0xC000, 0x7BFF, 0x7C00 })]
    [InlineData(TensorType.BF16, new ushort[] { 0x3F80, 0xC000, 0x4780, 0x4997 })]
    public void Half_formats_are_written_rounded_and_read_back(TensorType type, ushort[] bits)
    {
        float[] values = [1, -2, 65504, 1.234e6f];
        SafetensorsWriter.Write(_folder["x.safetensors"], [new("v", [4], values)], type);
        using SafetensorsFile file = SafetensorsFile.Open(_folder["x.safetensors"]);
        byte[] bytes = file.Bytes("v").ToArray();
        Assert.Equal(bits, Enumerable.Range(0, 4).Select(i => BinaryPrimitives.ReadUInt16LittleEndian(bytes.AsSpan(2 * i))));
        file.Read("v", values);
        Assert.Equal(type == TensorType.F16 ? [1, -2, 65504, float.PositiveInfinity] : [1, -2, 65536, 1236992], values);
    }

    [Fact]
    public void Streamed_tensors_are_made_a_few_rows_at_a_time_each_in_its_type()
    {
        const int Rows = 700, Columns = 3_001;
        var asked = new List<(int First, int Rows)>();
        SafetensorsWriter.WriteStreamed(_folder["x.safetensors"],
        [
            new("a", [Rows, Columns], TensorType.F16, (first, rows, destination) =>
            {
                asked.Add((first, rows));
                for (int i = 0; i < destination.Length; i++) destination[i] = (first * Columns + i) % 2_000;
            }),
            new("b", [2], TensorType.BF16, (first, rows, destination) => destination.Fill(1 + first + rows)),
            new("c", [], TensorType.F32, (_, _, destination) => destination[0] = 0.1f),
            new("e", [0, 3], TensorType.F16, (_, _, _) => throw new InvalidOperationException("there is no row")),
        ]);
        Assert.Equal(Enumerable.Range(0, asked.Count).Select(i => asked.Take(i).Sum(each => each.Rows)), asked.Select(each => each.First));
        Assert.Equal(Rows, asked.Sum(each => each.Rows));
        Assert.All(asked, each => Assert.InRange(each.Rows * Columns, Columns, 1 << 20));
        using SafetensorsFile file = SafetensorsFile.Open(_folder["x.safetensors"]);
        Assert.Equal(["c F32", "b BF16", "a F16", "e F16"], file.Tensors.OrderBy(entry => entry.Offset).ThenBy(entry => entry.Name).Select(entry => $"{entry.Name} {entry.Type}"));
        float[] a = new float[Rows * Columns], b = new float[2];
        file.Read("a", a);
        file.Read("b", b);
        for (int i = 0; i < a.Length; i++) Assert.Equal(i % 2_000, a[i]);
        Assert.Equal([3, 3], b);
        Assert.Equal(0.1f, BinaryPrimitives.ReadSingleLittleEndian(file.Bytes("c")));
        Assert.Throws<ArgumentException>(() => SafetensorsWriter.WriteStreamed(_folder["y.safetensors"], [new("a", [2, 1 << 29], TensorType.F32, (_, _, _) => { })]));
    }

    [Fact]
    public void Wrong_tensors_are_not_written()
    {
        Assert.Throws<ArgumentException>(() => Write([new("a", [2], new float[2]), new("a", [2], new float[2])]));
        Assert.Throws<ArgumentException>(() => Write([new("a", [2, 2], new float[2])]));
        Assert.Throws<ArgumentException>(() => Write([new("a", [65536, 65536], Array.Empty<float>())]));
        Assert.Throws<ArgumentException>(() => Write([new("__metadata__", [0], Array.Empty<float>())]));
        Assert.Throws<ArgumentOutOfRangeException>(() => Write([new("a", [-1], Array.Empty<float>())]));
        Assert.Empty(Directory.GetFileSystemEntries(_folder.Path));
    }

    [Fact]
    public void The_former_file_survives_a_write_that_fails()
    {
        Write([new("a", [1], new float[] { 5 })]).Dispose();
        Directory.CreateDirectory(_folder["x.safetensors.unfinished"]);
        Assert.ThrowsAny<Exception>(() => Write([new("a", [1], new float[] { 6 })]));
        using SafetensorsFile file = SafetensorsFile.Open(_folder["x.safetensors"]);
        float[] value = new float[1];
        file.Read("a", value);
        Assert.Equal(5, value[0]);
    }

    [Fact]
    public void A_closed_file_gives_no_bytes()
    {
        SafetensorsFile file = Write([new("a", [1], new float[] { 5 })]);
        file.Dispose();
        file.Dispose();
        Assert.Throws<ObjectDisposedException>(() => file.Bytes("a").Length);
        Assert.Throws<ObjectDisposedException>(() => file.Read("a", new float[1]));
    }

    private SafetensorsFile Write(SafetensorsTensor[] tensors)
    {
        SafetensorsWriter.Write(_folder["x.safetensors"], tensors);
        return SafetensorsFile.Open(_folder["x.safetensors"]);
    }

    private SafetensorsFile Open(byte[] bytes)
    {
        File.WriteAllBytes(_folder["x.safetensors"], bytes);
        return SafetensorsFile.Open(_folder["x.safetensors"]);
    }
}
