using System.IO.Compression;
using System.Text;
using EcoLora.Formats.Data;
using EcoLora.Numerics;
using EcoLora.TestKit;

namespace EcoLora.Formats.Tests.Data;

public sealed class MultipleChoiceFileTests : IDisposable
{
    private const string Arc = """{"id":"x","question":"Which?","choices":{"text":["a","b","c"],"label":["A","B","C"]},"answerKey":"B"}""";
    private const string Mmlu = "Which?,a,b,c,d,C\n";

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Arc_lines_are_read_with_letters_and_with_numbers()
    {
        IReadOnlyList<MultipleChoiceQuestion> questions = Read("q.jsonl", Arc + "\n\n"
            + """{"answerKey": "4", "choices": {"label": ["1", "2", "3", "4"], "text": ["w", "x", "y", "caf\u00e9"]}, "question": "How?", "extra": [1]}""");
        Assert.Equal(["Which?", "How?"], questions.Select(question => question.Question));
        Assert.Equal(["a", "b", "c"], questions[0].Choices);
        Assert.Equal([1, 3], questions.Select(question => question.Answer));
        Assert.Equal("café", questions[1].Choices[3]);
        Assert.All(questions, question => Assert.False(question.IsLettered));
    }

    [Fact]
    public void The_wordings_are_those_of_the_harness()
    {
        MultipleChoiceQuestion arc = Read("q.jsonl", Arc)[0], mmlu = Read("q.csv", " What is 1+1? ,one,two,three,four,B")[0];
        Assert.Equal("Question: Which?\nAnswer:", arc.Prompt);
        Assert.Equal(["a", "b", "c"], Enumerable.Range(0, 3).Select(arc.Reply));
        Assert.Equal("What is 1+1?\nA. one\nB. two\nC. three\nD. four\nAnswer:", mmlu.Prompt);
        Assert.Equal(["A", "B", "C", "D"], Enumerable.Range(0, 4).Select(mmlu.Reply));
    }

    [Theory]
    [InlineData(Mmlu, "Which?")]
    [InlineData("Which?,a,b,c,d,C", "Which?")]
    [InlineData("\uFEFFWhich?,a,b,c,d,C\r\n", "Which?")]
    [InlineData("\r\n\nWhich?,a,b,c,d,C\r\n\r\n", "Which?")]
    [InlineData("\"Which?\",\"a\",b,c,\"d\",\"C\"\n", "Which?")]
    [InlineData("\"One, or\ntwo\r\nlines?\",a,b,c,d,C\n", "One, or\ntwo\r\nlines?")]
    [InlineData("\"He said \"\"no\"\".\",a,b,c,d,C\n", "He said \"no\".")]
    [InlineData("\"\"\"\",a,b,c,d,C\n", "\"")]
    [InlineData(" {spaces stay} ,a,b,c,d,C", " {spaces stay} ")]
    public void Mmlu_fields_follow_RFC_4180(string text, string question)
    {
        MultipleChoiceQuestion read = Assert.Single(Read("q.csv", text));
        Assert.Equal(question, read.Question);
        Assert.Equal(["a", "b", "c", "d"], read.Choices);
        Assert.Equal((2, true), (read.Answer, read.IsLettered));
    }

    [Theory]
    [InlineData("", "q.csv: expected at least one question, found an empty file")]
    [InlineData("\n\r\n", "q.csv: expected at least one question, found none")]
    [InlineData("question,A,B,C,D,answer\n", "q.csv: line 1, field 'answer': expected A, B, C or D, found 'answer'")]
    [InlineData(Mmlu + "q,a,b,c,d,E", "q.csv: line 2, field 'answer': expected A, B, C or D, found 'E'")]
    [InlineData(Mmlu + "q,a,b,c,d,c", "q.csv: line 2, field 'answer': expected A, B, C or D, found 'c'")]
    [InlineData("q,a,b,c,d,\"two\nlines\"", "q.csv: line 1, field 'answer': expected A, B, C or D, found 'two\\u000alines'")]
    [InlineData(Mmlu + "q,a,b,c,C", "q.csv: line 2: expected 6 fields, found 5")]
    [InlineData("q", "q.csv: line 1: expected 6 fields, found 1")]
    [InlineData(Mmlu + "q,a,b,c,d,C,", "q.csv: line 2: expected 6 fields, found more")]
    [InlineData(Mmlu + "q,a,,c,d,C", "q.csv: line 2, field 'B': expected text, found blank text")]
    [InlineData("\" \n\",a,b,c,d,C", "q.csv: line 1, field 'question': expected text, found blank text")]
    [InlineData("\"1\n2\n\",a,b,c,d,C\n" + "q,\"a\"b,b,c,d,C", "q.csv: line 4, field 'A': expected ',' or the end of the line after the closing quote, found 'b'")]
    [InlineData("q,a \"b\",b,c,d,C", "q.csv: line 1, field 'A': expected quotes around the whole field, found a quote inside it")]
    [InlineData(Mmlu + "\n\"q,a,b,c,d,C\n\n", "q.csv: line 3, field 'question': expected a closing quote, found the end of the file")]
    [InlineData("q,a,b,c,d,C\rq,a,b,c,d,C", "q.csv: line 1: expected a line feed after the carriage return, found 'q'")]
    public void What_is_wrong_in_CSV_is_said_with_its_place(string text, string expected) => AssertRefused(expected, "q.csv", text);

    [Theory]
    [InlineData("", "q.jsonl: expected at least one question, found an empty file")]
    [InlineData("\n", "q.jsonl: expected at least one question, found none")]
    [InlineData(Mmlu, "q.jsonl: line 1: expected a JSON object, found malformed JSON at byte 0")]
    [InlineData(Arc + "\n7", "q.jsonl: line 2: expected a JSON object, found a number")]
    [InlineData(Arc + "\n{}", "q.jsonl: line 2, field 'question': expected a string, found no such field")]
    [InlineData("""{"question":null}""", "q.jsonl: line 1, field 'question': expected a string, found null")]
    [InlineData("""{"question":" "}""", "q.jsonl: line 1, field 'question': expected text, found blank text")]
    [InlineData("""{"question":"\ud800"}""", "q.jsonl: line 1, field 'question': expected text, found bytes or escapes that are not Unicode")]
    [InlineData("""{"question":"q","choices":["a"]}""", "q.jsonl: line 1, field 'choices': expected an object, found an array")]
    [InlineData("""{"question":"q","choices":{"text":"a"}}""", "q.jsonl: line 1, field 'choices.text': expected an array, found a string")]
    [InlineData("""{"question":"q","choices":{"text":["a","b"]}}""", "q.jsonl: line 1, field 'choices.text': expected 3 to 5 texts, found 2")]
    [InlineData("""{"question":"q","choices":{"text":[1,2,3,4,5,6]}}""", "q.jsonl: line 1, field 'choices.text': expected 3 to 5 texts, found 6")]
    [InlineData("""{"question":"q","choices":{"text":["a",2,"c"]}}""", "q.jsonl: line 1, field 'choices.text[1]': expected a string, found a number")]
    [InlineData("""{"question":"q","choices":{"text":["a","b","c"]}}""", "q.jsonl: line 1, field 'choices.label': expected an array, found no such field")]
    [InlineData(
        """{"question":"q","choices":{"text":["a","b","c"],"label":["A","B","C","D"]}}""",
        "q.jsonl: line 1, field 'choices.label': expected 3 labels, one per choice, found 4")]
    [InlineData(
        """{"question":"q","choices":{"text":["a","b","c"],"label":["A","B","A"]}}""",
        "q.jsonl: line 1, field 'choices.label': expected different labels, found A, B, A")]
    [InlineData(
        """{"question":"q","choices":{"text":["a","b","c"],"label":["A","B","C"]},"answerKey":"1"}""",
        "q.jsonl: line 1, field 'answerKey': expected one of A, B, C, found '1'")]
    [InlineData("""{"\ud800uestion":"q"}""", "q.jsonl: line 1: expected a JSON object, found a field whose name is not Unicode")]
    [InlineData("[" + Arc + ",\n{\"question\":1}]", "q.jsonl: element 1 (line 2), field 'question': expected a string, found a number")]
    public void What_is_wrong_in_JSON_is_said_with_its_place(string text, string expected) => AssertRefused(expected, "q.jsonl", text);

    [Fact]
    public void Bytes_that_are_not_UTF8_are_refused()
    {
        File.WriteAllBytes(_folder["q.csv"], [.. "q,a,b,"u8, 0xC3, .. ",d,A"u8]);
        Assert.EndsWith("line 1, field 'C': expected text, found bytes that are not UTF-8",
            Assert.Throws<DataSetException>(() => MultipleChoiceFile.Read(_folder["q.csv"])).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_record_longer_than_the_limit_is_refused_and_one_of_the_limit_is_read()
    {
        string record = "\"" + new string('x', 5_000) + "\",a,b,c,d,C";
        File.WriteAllText(_folder["long.csv"], record + "\n");
        Assert.Single(MultipleChoiceFile.Read(_folder["long.csv"], record.Length, long.MaxValue));
        Assert.EndsWith($"line 1: expected a record of at most {record.Length - 1} bytes, found a longer one",
            Assert.Throws<DataSetException>(() => MultipleChoiceFile.Read(_folder["long.csv"], record.Length - 1, long.MaxValue)).Message,
            StringComparison.Ordinal);
        Assert.EndsWith("expected at most 100 bytes of content, found more",
            Assert.Throws<DataSetException>(() => MultipleChoiceFile.Read(_folder["long.csv"], record.Length, 100)).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("q.csv.gz", Mmlu)]
    [InlineData("q.CSV.GZ", Mmlu)]
    [InlineData("q.jsonl.gz", Arc)]
    public void A_compressed_file_is_read_by_the_name_before_gz(string name, string text)
    {
        using (var packed = new GZipStream(File.Create(_folder[name]), CompressionLevel.Fastest)) packed.Write(Encoding.UTF8.GetBytes(text));
        Assert.Equal("Which?", Assert.Single(MultipleChoiceFile.Read(_folder[name])).Question);
    }

    [Theory]
    [InlineData("q.csv", Mmlu + "\"He said \"\"no\"\",\r\nand é.\",a,b,c,d,A\r\n")]
    [InlineData("q.jsonl", Arc + "\n" + Arc)]
    public void Damage_never_raises_another_exception(string name, string text)
    {
        var random = new RandomStream(1, "damage");
        int refused = 0;
        for (int i = 0; i < 3_000; i++)
        {
            File.WriteAllBytes(_folder[name], Mutation.Of(Encoding.UTF8.GetBytes(text), random));
            Exception? error = Record.Exception(() => MultipleChoiceFile.Read(_folder[name]));
            Assert.True(error is null or DataSetException, $"{i}: {error}");
            if (error is null) continue;
            refused++;
            Assert.DoesNotContain('\n', error.Message);
        }
        Assert.InRange(refused, 500, 2_999);
    }

    /// <summary>Numbers counted from the files by another program.</summary>
    [Theory]
    [InlineData("arc_easy_test", 2376, 9501)]
    [InlineData("arc_easy_train", 2251, 9002)]
    [InlineData("arc_easy_validation", 570, 2281)]
    [InlineData("arc_challenge_test", 1172, 4687)]
    [InlineData("arc_challenge_train", 1056, 4224)]
    public void Real_files_are_read_whole(string name, int questions, int choices)
    {
        IReadOnlyList<MultipleChoiceQuestion> read = MultipleChoiceFile.Read(SharedData.Path($"mcq/{name}.jsonl"));
        Assert.Equal(questions, read.Count);
        Assert.Equal(choices, read.Sum(question => question.Choices.Count));
        Assert.All(read, question => Assert.InRange(question.Answer, 0, question.Choices.Count - 1));
    }

    private IReadOnlyList<MultipleChoiceQuestion> Read(string name, string text)
    {
        File.WriteAllText(_folder[name], text, new UTF8Encoding(false));
        return MultipleChoiceFile.Read(_folder[name]);
    }

    private void AssertRefused(string expected, string name, string text)
    {
        DataSetException error = Assert.Throws<DataSetException>(() => Read(name, text));
        Assert.Equal(expected, error.Message.Replace(_folder.Path + Path.DirectorySeparatorChar, "", StringComparison.Ordinal));
    }
}
