using System.Buffers.Binary;
using System.Text;
using EcoLora.Formats.Safetensors;
using EcoLora.Numerics;
using EcoLora.TestKit;

namespace EcoLora.Formats.Tests.Safetensors;

public sealed class HostileFilesTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    public static TheoryData<string, int, string> Headers => new()
    {
        { "", 0, "expected '{'" },
        { " {}", 0, "expected '{'" },
        { "[]", 0, "expected '{'" },
        { "{", 0, "well-formed JSON" },
        { "{}x", 0, "well-formed JSON" },
        { "{}{}", 0, "well-formed JSON" },
        { """{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}""", 7, "found the file cut off after 7 bytes" },
        { """{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}""", 9, "expected 8 bytes of data as the header says, found 9" },
        { """{"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}}""", 8, "expected 3 × 4 = 12 bytes, found 8" },
        { """{"a":{"dtype":"F16","shape":[2],"data_offsets":[0,8]}}""", 8, "expected 2 × 2 = 4 bytes, found 8" },
        { """{"a":{"dtype":"F32","shape":[2],"data_offsets":[-8,0]}}""", 8, "whole numbers from 0 in data_offsets" },
        { """{"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}}""", 8, "rising order, found 8 and 0" },
        { """{"a":{"dtype":"F32","shape":[2],"data_offsets":[8,16]}}""", 16, "expected its data at 0, after the tensor before it, found 8" },
        { """{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}""", 12, "expected its data at 8" },
        { """{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}""", 8, "expected its data at 8" },
        { """{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"a":{"dtype":"F32","shape":[2],"data_offsets":[8,16]}}""", 16, "found 'a' twice" },
        { """{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"\u0061":{"dtype":"F32","shape":[2],"data_offsets":[8,16]}}""", 16, "found 'a' twice" },
        { """{"a":{"dtype":"F32","dtype":"F32","shape":[2],"data_offsets":[0,8]}}""", 8, "found 'dtype' too" },
        { """{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8],"more":1}}""", 8, "found 'more' too" },
        { """{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8,16]}}""", 8, "at most 2 numbers in data_offsets" },
        { """{"a":{"dtype":"F32","shape":[2],"data_offsets":[0]}}""", 8, "found fewer" },
        { """{"a":{"dtype":"F32","shape":[2]}}""", 8, "found fewer" },
        { """{"a":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}}""", 8, "whole numbers from 0 in shape" },
        { """{"a":{"dtype":"F32","shape":[2.0],"data_offsets":[0,8]}}""", 8, "whole numbers from 0 in shape" },
        { """{"a":{"dtype":"F32","shape":["2"],"data_offsets":[0,8]}}""", 8, "whole numbers from 0 in shape" },
        { """{"a":{"dtype":"F32","shape":[99999999999999999999],"data_offsets":[0,8]}}""", 8, "whole numbers from 0 in shape" },
        { """{"a":{"dtype":"F32","shape":[4294967296,4294967296,4294967296],"data_offsets":[0,0]}}""", 0, "expected at most 9223372036854775807 bytes" },
        { """{"a":{"dtype":"F32","shape":[2305843009213693952],"data_offsets":[0,0]}}""", 0, "expected at most 9223372036854775807 bytes" },
        { """{"a":{"dtype":"F32","shape":[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1],"data_offsets":[0,4]}}""", 4, "at most 16 numbers in shape" },
        { """{"a":{"dtype":32,"shape":[2],"data_offsets":[0,8]}}""", 8, "found 'dtype' too" },
        { """{"a":[]}""", 0, "expected an object" },
        { """{"a":null}""", 0, "expected an object" },
        { """{"a":{"dtype":"F32","shape":{},"data_offsets":[0,8]}}""", 8, "a list as shape" },
        { """{"__metadata__":[]}""", 0, "expected an object" },
        { """{"__metadata__":{"a":1}}""", 0, "text as 'a'" },
        { """{"__metadata__":{"a":"1","a":"2"}}""", 0, "'a' once" },
        { """{"\ud800":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}""", 8, "well-formed JSON" },
        { """{"a":{"dtype":"F32","shape":[[[[[[[[[[[[2]]]]]]]]]]]],"data_offsets":[0,8]}}""", 8, "whole numbers from 0 in shape" },
    };

    [Theory]
    [MemberData(nameof(Headers))]
    public void A_header_that_breaks_a_rule_is_refused_with_the_rule(string header, int dataLength, string expected)
    {
        string message = Refusal(SafetensorsBytes.File(header, dataLength));
        Assert.Contains(expected, message, StringComparison.Ordinal);
        Assert.Contains("/x.safetensors: ", message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', message);
    }

    [Fact]
    public void Header_lengths_are_checked_before_anything_is_read()
    {
        Assert.Contains("expected at least 8 bytes, found 0", Refusal([]), StringComparison.Ordinal);
        Assert.Contains("expected at least 8 bytes, found 7", Refusal(new byte[7]), StringComparison.Ordinal);
        byte[] bytes = SafetensorsBytes.File("{}", 0);
        foreach (ulong length in (ulong[])[100_000_001, (ulong)long.MaxValue, ulong.MaxValue])
        {
            BinaryPrimitives.WriteUInt64LittleEndian(bytes, length);
            Assert.Contains($"expected a header of at most 100000000 bytes, found {length}", Refusal(bytes), StringComparison.Ordinal);
        }
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, 3);
        Assert.Contains("expected a header of 3 bytes, found the file cut off after 2", Refusal(bytes), StringComparison.Ordinal);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, 100_000_000);
        Assert.Contains("found the file cut off", Refusal(bytes), StringComparison.Ordinal);
    }

    [Fact]
    public void Bytes_that_are_not_UTF_8_are_refused()
    {
        byte[] header = Encoding.UTF8.GetBytes("""{"aaaa":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}""");
        header[3] = 0xFF;
        Assert.Contains("expected UTF-8", Refusal(SafetensorsBytes.File(header, 8)), StringComparison.Ordinal);
    }

    [Fact]
    public void Deep_nesting_is_refused_without_deep_recursion() =>
        Refusal(SafetensorsBytes.File("{\"a\":" + new string('[', 1_000_000), 0));

    [Fact]
    public void Spaces_after_the_header_and_an_empty_header_are_fine()
    {
        using (SafetensorsFile file = Open(SafetensorsBytes.File("{}      ", 0))) Assert.Empty(file.Tensors);
        const string AnyOrder = """{"b":{"shape":[],"data_offsets":[4,8],"dtype":"F32"},"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}} """;
        using (SafetensorsFile file = Open(SafetensorsBytes.File(AnyOrder, 8)))
            Assert.Equal(["a", "b"], file.Tensors.Select(t => t.Name));
    }

    /// <summary>Any change of a good file either leaves a good file or is refused by the one typed exception.</summary>
    [Fact]
    public void Mutations_never_raise_anything_else()
    {
        SafetensorsWriter.Write(_folder["good.safetensors"],
            [new("first", [2, 3], new float[6]), new("second", [4], new float[4]), new("third", [], new float[1])]);
        byte[] good = File.ReadAllBytes(_folder["good.safetensors"]);
        var random = new RandomStream(11, "mutations");
        int refused = 0;
        const int Mutations = 4_000;
        for (int n = 0; n < Mutations; n++)
        {
            byte[] bytes = Mutation.Of(good, random);
            try
            {
                using SafetensorsFile file = Open(bytes);
                foreach (TensorEntry entry in file.Tensors)
                {
                    Assert.InRange(entry.ByteLength, 0, bytes.Length);
                    float[] data = new float[entry.ByteLength / 2];
                    if (entry.Type == "F32") file.Read(entry.Name, data.AsSpan(0, (int)entry.ByteLength / 4));
                    _ = file.Bytes(entry.Name)[^0..];
                }
            }
            catch (SafetensorsException)
            {
                refused++;
            }
        }
        Assert.InRange(refused, Mutations / 4, Mutations - 100);
    }

    private SafetensorsFile Open(byte[] bytes)
    {
        File.WriteAllBytes(_folder["x.safetensors"], bytes);
        return SafetensorsFile.Open(_folder["x.safetensors"]);
    }

    private string Refusal(byte[] bytes) => Assert.Throws<SafetensorsException>(() => Open(bytes)).Message;
}
