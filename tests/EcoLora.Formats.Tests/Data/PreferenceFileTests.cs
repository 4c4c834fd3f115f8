using System.IO.Compression;
using System.Text;
using EcoLora.Formats.Data;
using EcoLora.Numerics;
using EcoLora.TestKit;

namespace EcoLora.Formats.Tests.Data;

public sealed class PreferenceFileTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    public static TheoryData<string, string, string> Prompts => new()
    {
        // rasbt's.
        { """{"instruction":"Say it.","input":"it","output":"x","rejected":"no","chosen":"yes"}""", "Say it.", "it" },
        { """{"instruction":"Say it.","input":null,"chosen":"yes","rejected":"no"}""", "Say it.", "" },
        // LLaMA-Factory's.
        {
            """{"conversations":[{"from":"human","value":"Say it."}],"chosen":{"from":"gpt","value":"yes"},"rejected":{"from":"gpt","value":"no"}}""", "Say it.", ""
        },
        {
            """
            {"conversations":[{"from":"system","value":" Be kind. "},{"from":"human","value":"Hi"},{"from":"gpt","value":"Hello!\n"},{"from":"human","value":"Say it."}],"chosen":{"from":"gpt","value":"yes"},"rejected":{"from":"gpt","value":"no"}}
            """, "Say it.", "Be kind.\n\nUser: Hi\n\nAssistant: Hello!"
        },
        { """{"conversations":[{"from":"system","value":""},{"from":"human","value":"Say it."}],"chosen":"yes","rejected":"no"}""", "Say it.", "" },
        // Hugging Face's, plain and by messages.
        { """{"prompt":"Say it.","chosen":"yes","rejected":"no"}""", "Say it.", "" },
        {
            """{"prompt":[{"role":"user","content":"Say it."}],"chosen":[{"role":"assistant","content":"yes"}],"rejected":[{"role":"assistant","content":"no"}]}""",
            "Say it.", ""
        },
        // UltraFeedback's: the messages have the prompt.
        {
            """
            {"prompt":"not read","chosen":[{"content":"Say it.","role":"user"},{"content":"yes","role":"assistant"}],"rejected":[{"content":"Say it.","role":"user"},{"content":"no","role":"assistant"}],"score_chosen":8.5}
            """, "Say it.", ""
        },
    };

    [Theory]
    [MemberData(nameof(Prompts))]
    public void Every_format_gives_a_prompt_and_two_answers(string json, string text, string context)
    {
        Instruction record = Assert.Single(Read(json.Trim()).Records);
        Assert.Equal(new Instruction(text, context, "yes", "") { Rejected = "no" }, record);
    }

    [Fact]
    public void Containers_are_those_of_instructions()
    {
        const string One = """{"prompt":"a","chosen":"b","rejected":"c","category":"x"}""";
        byte[] array = Encoding.UTF8.GetBytes($"[{One},\n {One}]");
        using (var gzip = new GZipStream(File.Create(_folder["p.json.gz"]), CompressionLevel.Fastest)) gzip.Write(array);
        Assert.Equal(["x", "x"], PreferenceFile.Read(_folder["p.json.gz"]).Records.Select(record => record.Category));
        Assert.Equal(2, Read(One + "\r\n\r\n" + One).Records.Count);
    }

    [Fact]
    public void Pairs_that_prefer_nothing_are_dropped_and_counted()
    {
        InstructionDataSet data = Read("""
            {"prompt":"a","chosen":"same","rejected":" same\n"}
            {"prompt":"b","chosen":"yes"}
            {"prompt":"c","chosen":null,"rejected":"no"}
            {"prompt":"d","chosen":" ","rejected":"no"}
            {"prompt":"e","chosen":"yes","rejected":"no"}
            """);
        Assert.Equal(4, data.DroppedWithoutAnswer);
        Assert.Equal("e", Assert.Single(data.Records).Text);
    }

    [Theory]
    [InlineData("", "expected at least one record, found an empty file")]
    [InlineData("[]", "expected at least one record, found none")]
    [InlineData("""{"instruction":"a","output":"b"}""", "expected at least one record with two answers that differ, 'chosen' and 'rejected', found 1 without")]
    [InlineData("7", "line 1: expected a JSON object, found a number")]
    [InlineData("""{"prompt":""", "line 1: expected a JSON object, found malformed JSON at byte 10")]
    [InlineData("""{"chosen":"b","rejected":"c"}""", "line 1, field 'prompt': expected a prompt (or conversations, or instruction), found no such field")]
    [InlineData("""{"prompt":" ","chosen":"b","rejected":"c"}""", "line 1, field 'prompt': expected text, found blank text")]
    [InlineData("""{"prompt":7,"chosen":"b","rejected":"c"}""", "line 1, field 'prompt': expected a string, found a number")]
    [InlineData("""{"prompt":"a","chosen":true,"rejected":"c"}""", "line 1, field 'chosen': expected a string, a message or an array of messages, found a boolean")]
    [InlineData("""{"prompt":"a","chosen":"\ud800","rejected":"c"}""", "line 1, field 'chosen': expected text, found bytes or escapes that are not Unicode")]
    [InlineData("""{"prompt":"a","chosen":[],"rejected":"c"}""", "line 1, field 'chosen': expected a last message by the assistant, found no message")]
    [InlineData("""{"prompt":"a","chosen":{"from":"human","value":"b"},"rejected":"c"}""", "line 1, field 'chosen': expected a last message by the assistant, found another's")]
    [InlineData("""{"prompt":"a","chosen":{"from":"bard\n","value":"b"},"rejected":"c"}""", "line 1, field 'chosen.from': expected system, user, human, assistant or gpt, found 'bard\\u000a'")]
    [InlineData("""{"prompt":"a","chosen":{"role":"assistant"},"rejected":"c"}""", "line 1, field 'chosen.content': expected a string, found no such field")]
    [InlineData("""{"prompt":"a","chosen":{},"rejected":"c"}""", "line 1, field 'chosen.role': expected a string, found no such field")]
    [InlineData("""{"prompt":[7],"chosen":"b","rejected":"c"}""", "line 1, field 'prompt[0]': expected an object, found a number")]
    [InlineData("""{"conversations":"a","chosen":"b","rejected":"c"}""", "line 1, field 'conversations': expected an array, found a string")]
    [InlineData("""{"conversations":[],"chosen":"b","rejected":"c"}""", "line 1, field 'conversations': expected a prompt that ends with the user's text, found no message")]
    [InlineData(
        """{"conversations":[{"from":"human","value":"a"},{"from":"gpt","value":"b"}],"chosen":"b","rejected":"c"}""",
        "line 1, field 'conversations': expected a prompt that ends with the user's text, found another's")]
    [InlineData(
        """{"conversations":[{"from":"human","value":" "}],"chosen":"b","rejected":"c"}""",
        "line 1, field 'conversations': expected a prompt that ends with the user's text, found blank text")]
    [InlineData(
        """{"chosen":[{"role":"user","content":"a"},{"role":"assistant","content":"b"}],"rejected":[{"role":"user","content":"A"},{"role":"assistant","content":"c"}]}""",
        "line 1, field 'rejected': expected the messages of 'chosen' up to the answer, found others")]
    [InlineData("""{"prompt":"a","chosen":"b","rejected":"c","category":[]}""", "line 1, field 'category': expected a string, found an array")]
    [InlineData("""[{"prompt":"a","chosen":"b","rejected":"c"},""" + "\n{\"prompt\":\"a\",\"chosen\":1}]",
        "element 1 (line 2), field 'chosen': expected a string, a message or an array of messages, found a number")]
    public void What_is_wrong_is_said_with_its_place(string text, string expected)
    {
        string message = Assert.Throws<DataSetException>(() => Read(text)).Message;
        Assert.Equal($"p.jsonl: {expected}", message.Replace(_folder.Path + Path.DirectorySeparatorChar, "", StringComparison.Ordinal));
    }

    [Fact]
    public void A_record_longer_than_the_limit_and_one_nested_too_deeply_are_refused()
    {
        string record = "{\"prompt\":\"a\",\"chosen\":\"b\",\"rejected\":\"" + new string('x', 5_000) + "\"}";
        File.WriteAllText(_folder["p.jsonl"], record);
        Assert.Single(PreferenceFile.Read(_folder["p.jsonl"], record.Length, long.MaxValue).Records);
        Assert.EndsWith($"line 1: expected a record of at most {record.Length - 1} bytes, found a longer one",
            Assert.Throws<DataSetException>(() => PreferenceFile.Read(_folder["p.jsonl"], record.Length - 1, long.MaxValue)).Message, StringComparison.Ordinal);
        Assert.Contains("line 1", Assert.Throws<DataSetException>(() => Read("{\"prompt\":" + new string('[', 10_000) + "}")).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Damage_is_one_kind_of_error_or_another_data_set()
    {
        byte[] good = Encoding.UTF8.GetBytes(string.Join('\n', Prompts.Select(row => row.Data.Item1.Trim())));
        var random = new RandomStream(7, "damage");
        int refused = 0;
        for (int i = 0; i < 2_000; i++)
        {
            File.WriteAllBytes(_folder["p.jsonl"], Mutation.Of(good, random));
            Exception? error = Record.Exception(() => PreferenceFile.Read(_folder["p.jsonl"]));
            if (error is null) continue;
            Assert.IsType<DataSetException>(error);
            Assert.DoesNotContain('\n', error.Message);
            refused++;
        }
        Assert.InRange(refused, 1_000, 1_999);
    }

    [Theory]
    [InlineData("rasbt-instruction-data-with-preference.json", 1094, 6, "")]
    [InlineData("llamafactory-dpo_en_demo.json", 300, 0, "User: ")]
    public void Real_files_are_read_whole(string file, int records, int dropped, string context)
    {
        InstructionDataSet data = PreferenceFile.Read(SharedData.Path("preference/" + file));
        Assert.Equal((records, dropped), (data.Records.Count, data.DroppedWithoutAnswer));
        Assert.Contains(data.Records, record => record.Context.StartsWith(context, StringComparison.Ordinal));
        Assert.All(data.Records, record => Assert.NotEqual(record.Response.Trim(), record.Rejected!.Trim()));
    }

    private InstructionDataSet Read(string text)
    {
        File.WriteAllText(_folder["p.jsonl"], text);
        return PreferenceFile.Read(_folder["p.jsonl"]);
    }
}
