using System.IO.Compression;
using System.Text;
using EcoLora.Formats.Data;
using EcoLora.TestKit;

namespace EcoLora.Formats.Tests.Data;

public sealed class InstructionFileTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Dolly_lines_are_read_in_order()
    {
        InstructionDataSet data = Read("""
            {"instruction": "Who?", "context": "Tom ran.", "response": "Tom", "category": "qa"}
            {"instruction": "Say \u00e9", "context": "", "response": "\u00e9", "category": "copy", "extra": [1, {"instruction": "no"}]}
            """);
        Assert.Equal([new Instruction("Who?", "Tom ran.", "Tom", "qa"), new Instruction("Say é", "", "é", "copy")], data.Records);
        Assert.Equal(0, data.DroppedWithoutAnswer);
    }

    [Fact]
    public void Alpaca_names_and_Dolly_names_may_mix_record_by_record()
    {
        InstructionDataSet data = Read("""
            {"instruction": "a", "input": "b", "output": "c"}
            {"instruction": "d", "context": "e", "response": "f"}
            {"instruction": "g", "context": null, "input": "h", "response": "", "output": "i"}
            """);
        Assert.Equal([new Instruction("a", "b", "c", ""), new Instruction("d", "e", "f", ""), new Instruction("g", "h", "i", "")], data.Records);
    }

    [Theory]
    [InlineData("[{\"instruction\":\"a\",\"output\":\"b\"}]")]
    [InlineData(" \r\n[ {\"instruction\" : \"a\" ,\n\"output\":\"b\"} ] \n")]
    public void An_array_is_read_whatever_its_white_space(string text)
    {
        Assert.Equal([new Instruction("a", "", "b", "")], Read(text).Records);
    }

    [Fact]
    public void Brackets_and_quotes_inside_strings_do_not_cut_an_element()
    {
        InstructionDataSet data = Read("""[{"instruction":"a } ] \" { \\","output":"]}"},{"instruction":"c","output":"d"}]""");
        Assert.Equal([new Instruction("a } ] \" { \\", "", "]}", ""), new Instruction("c", "", "d", "")], data.Records);
    }

    [Fact]
    public void A_byte_order_mark_Windows_newlines_and_blank_lines_are_accepted()
    {
        InstructionDataSet data = Read("\uFEFF{\"instruction\":\"a\",\"output\":\"b\"}\r\n\r\n  \r\n{\"instruction\":\"c\",\"output\":\"d\"}\r\n");
        Assert.Equal(["a", "c"], data.Records.Select(record => record.Text));
    }

    [Fact]
    public void A_record_without_an_answer_is_dropped_and_counted()
    {
        InstructionDataSet data = Read("""
            {"instruction": "a", "response": " \n"}
            {"instruction": "b"}
            {"instruction": "c", "response": null}
            {"instruction": "d", "response": "yes"}
            """);
        Assert.Equal(3, data.DroppedWithoutAnswer);
        Assert.Equal("d", Assert.Single(data.Records).Text);
    }

    [Fact]
    public void Equal_categories_share_their_text()
    {
        InstructionDataSet data = Read("{\"instruction\":\"a\",\"output\":\"b\",\"category\":\"x\"}\n"
            + "{\"instruction\":\"c\",\"output\":\"d\",\"category\":\"x\"}");
        Assert.Same(data.Records[0].Category, data.Records[1].Category);
    }

    [Theory]
    [InlineData("", "data.jsonl: expected at least one record, found an empty file")]
    [InlineData("\uFEFF", "data.jsonl: expected at least one record, found none")]
    [InlineData(" \n\n", "data.jsonl: expected at least one record, found none")]
    [InlineData("[]", "data.jsonl: expected at least one record, found none")]
    [InlineData("{\"instruction\":\"a\"}\n{\"instruction\":\"b\",\"output\":\"\"}", "data.jsonl: expected at least one record with an answer, found 2 without")]
    [InlineData("{\"instruction\":\"a\",\"output\":\"b\"}\n\n{\"instruction\":", "data.jsonl: line 3: expected a JSON object, found malformed JSON at byte 15")]
    [InlineData("{\"instruction\":\"a\",\"output\":\"b\"} x", "data.jsonl: line 1: expected a JSON object, found malformed JSON at byte 33")]
    [InlineData("{\"instruction\":\"a\",\"output\":\"b\"}{}", "data.jsonl: line 1: expected a JSON object, found malformed JSON at byte 32")]
    [InlineData("\"text\"", "data.jsonl: line 1: expected a JSON object, found a string")]
    [InlineData("{\"instruction\":\"a\",\"output\":\"b\"}\n[1]", "data.jsonl: line 2: expected a JSON object, found an array")]
    [InlineData("{\"instruction\":\"a\",\"context\":7,\"output\":\"b\"}", "data.jsonl: line 1, field 'context': expected a string, found a number")]
    [InlineData("{\"instruction\":[\"a\"],\"output\":\"b\"}", "data.jsonl: line 1, field 'instruction': expected a string, found an array")]
    [InlineData("{\"instruction\":\"a\",\"output\":{}}", "data.jsonl: line 1, field 'output': expected a string, found an object")]
    [InlineData("{\"instruction\":\"a\",\"category\":true}", "data.jsonl: line 1, field 'category': expected a string, found a boolean")]
    [InlineData("{\"output\":\"b\"}", "data.jsonl: line 1, field 'instruction': expected text, found no such field")]
    [InlineData("{\"instruction\":\" \",\"output\":\"b\"}", "data.jsonl: line 1, field 'instruction': expected text, found blank text")]
    [InlineData(
        "{\"instruction\":\"\\ud800\",\"output\":\"b\"}",
        "data.jsonl: line 1, field 'instruction': expected text, found bytes or escapes that are not Unicode")]
    [InlineData(
        "[{\"instruction\":\"a\",\"output\":\"b\"},\n{\"instruction\":1}]",
        "data.jsonl: element 1 (line 2), field 'instruction': expected a string, found a number")]
    [InlineData("[{\"instruction\":\"a\",\"output\":\"b\"},]", "data.jsonl: element 1 (line 1): expected an object, found ']'")]
    [InlineData("[{\"instruction\":\"a\",\"output\":\"b\"}\n{}]", "data.jsonl: element 0 (line 2): expected ',' or ']' after the object, found '{'")]
    [InlineData("[{\"instruction\":\"a\",\"output\":\"b\"}", "data.jsonl: element 0 (line 1): expected ',' or ']' after the object, found the end of the file")]
    [InlineData("[{\"instruction\":\"a\",\"output\":\"b\"", "data.jsonl: element 0 (line 1): expected a complete object, found the end of the file")]
    [InlineData("[{\"instruction\":\"a\",\"output\":\"b\"}]\n]", "data.jsonl: line 2: expected nothing after the array, found ']'")]
    [InlineData("[1]", "data.jsonl: element 0 (line 1): expected an object, found '1'")]
    [InlineData("[", "data.jsonl: element 0 (line 1): expected an object, found the end of the file")]
    public void What_is_wrong_is_said_with_its_place(string text, string expected)
    {
        DataSetException error = Assert.Throws<DataSetException>(() => Read(text));
        Assert.Equal(expected, error.Message.Replace(_folder.Path + Path.DirectorySeparatorChar, "", StringComparison.Ordinal));
    }

    [Fact]
    public void Bytes_that_are_not_UTF8_are_refused()
    {
        File.WriteAllBytes(_folder["data.jsonl"], [.. "{\"instruction\":\"a"u8, 0xFF, .. "\",\"output\":\"b\"}"u8]);
        DataSetException error = Assert.Throws<DataSetException>(() => InstructionFile.Read(_folder["data.jsonl"]));
        Assert.Contains("line 1", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Objects_nested_too_deeply_are_refused()
    {
        string text = "{\"instruction\":\"a\",\"x\":" + new string('[', 10_000) + new string(']', 10_000) + "}";
        Assert.Contains("line 1", Assert.Throws<DataSetException>(() => Read(text)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_line_longer_than_the_limit_is_refused_and_one_of_the_limit_is_read()
    {
        string head = "{\"instruction\":\"a\",\"output\":\"b\"}\n", record = "{\"instruction\":\"a\",\"output\":\"" + new string('x', 5_000) + "\"}";
        File.WriteAllText(_folder["long.jsonl"], head + record);
        Assert.Equal(2, InstructionFile.Read(_folder["long.jsonl"], record.Length, long.MaxValue).Records.Count);
        DataSetException error = Assert.Throws<DataSetException>(() => InstructionFile.Read(_folder["long.jsonl"], record.Length - 1, long.MaxValue));
        Assert.EndsWith($"line 2: expected a record of at most {record.Length - 1} bytes, found a longer one", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Compressed_content_is_told_by_its_bytes_and_held_to_the_same_limit()
    {
        string text = "{\"instruction\":\"a\",\"output\":\"b\"}\n" + new string('\n', 1 << 20);
        File.WriteAllBytes(_folder["packed.jsonl"], Compress(text));
        Assert.Single(InstructionFile.Read(_folder["packed.jsonl"]).Records);
        DataSetException error = Assert.Throws<DataSetException>(() => InstructionFile.Read(_folder["packed.jsonl"], 1 << 20, 1 << 20));
        Assert.EndsWith("expected at most 1048576 bytes of content, found more", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_compressed_file_cut_off_anywhere_is_refused()
    {
        byte[] whole = Compress(string.Concat(Enumerable.Range(0, 400).Select(i => $"{{\"instruction\":\"number {i * 7919 % 1000}\",\"output\":\"{i}\"}}\n")));
        File.WriteAllBytes(_folder["cut.jsonl.gz"], whole);
        Assert.Equal(400, InstructionFile.Read(_folder["cut.jsonl.gz"]).Records.Count);
        foreach (int length in (int[])[whole.Length - 1, whole.Length - 4, whole.Length - 8, whole.Length / 2, 18, 17, 10, 3, 2, 1])
        {
            File.WriteAllBytes(_folder["cut.jsonl.gz"], whole[..length]);
            Assert.Throws<DataSetException>(() => InstructionFile.Read(_folder["cut.jsonl.gz"]));
        }
    }

    [Fact]
    public void Damaged_compressed_bytes_never_raise_another_exception()
    {
        byte[] whole = Compress(string.Concat(Enumerable.Range(0, 50).Select(i => $"{{\"instruction\":\"number {i}\",\"output\":\"{i}\"}}\n")));
        for (int i = 0; i < whole.Length; i++)
        {
            byte[] damaged = [.. whole];
            damaged[i] ^= 0x41;
            File.WriteAllBytes(_folder["damaged.jsonl.gz"], damaged);
            Exception? error = Record.Exception(() => InstructionFile.Read(_folder["damaged.jsonl.gz"]));
            Assert.True(error is null or DataSetException, $"byte {i}: {error}");
        }
    }

    [Fact]
    public void Plain_bytes_under_a_compressed_name_are_refused()
    {
        File.WriteAllText(_folder["plain.jsonl.gz"], "{}");
        Assert.EndsWith(
            "expected gzip's first bytes 1F 8B, found 7B7D",
            Assert.Throws<DataSetException>(() => InstructionFile.Read(_folder["plain.jsonl.gz"])).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("instruction/databricks-dolly-15k.jsonl.gz", 15_011, 8)]
    [InlineData("instruction/rasbt-instruction-data.json", 1_100, 1)]
    public void Real_data_sets_are_read_whole(string path, int records, int categories)
    {
        InstructionDataSet data = InstructionFile.Read(SharedData.Path(path));
        Assert.Equal(records, data.Records.Count);
        Assert.Equal(0, data.DroppedWithoutAnswer);
        Assert.Equal(categories, data.Records.Select(record => record.Category).Distinct().Count());
    }

    [Fact]
    public void A_real_file_of_another_kind_is_refused_in_one_line()
    {
        DataSetException error = Assert.Throws<DataSetException>(() => InstructionFile.Read(SharedData.Path("instruction/dolly-fedit-10-clients.json")));
        Assert.EndsWith("line 1: expected a JSON object, found malformed JSON at byte 1", error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', error.Message);
    }

    private InstructionDataSet Read(string text)
    {
        File.WriteAllText(_folder["data.jsonl"], text, new UTF8Encoding(false));
        return InstructionFile.Read(_folder["data.jsonl"]);
    }

    private static byte[] Compress(string text)
    {
        using var packed = new MemoryStream();
        using (var gzip = new GZipStream(packed, CompressionLevel.Optimal)) gzip.Write(Encoding.UTF8.GetBytes(text));
        return packed.ToArray();
    }
}
