using System.Security.Cryptography;
using System.Text;
using EcoLora.Formats.Data;
using EcoLora.Formats.Data.Synthetic;
using EcoLora.TestKit;

namespace EcoLora.Formats.Tests.Data;

public class SyntheticDataTests
{
    private static readonly IReadOnlyList<Instruction> Tasks = TaskGenerator.Generate(1);

    private static readonly Lazy<string> Corpus = new(() => Encoding.ASCII.GetString(Written(stream => CorpusGenerator.Write(stream, 1))));

    [Fact]
    public void The_tasks_never_change() =>
        Assert.Equal("92320983E32C3D7984AD2482897C946C2CCA81A41C662FF473A38FD0BC34A57D", Digest(stream => TaskGenerator.Write(stream, 1)));

    [Fact]
    public void The_corpus_never_changes() =>
        Assert.Equal("450E17AC4FA4F0C7591A78B36D19D9429D1789C75670D49DBF47C098FB9D304D", Digest(stream => CorpusGenerator.Write(stream, 1, 200_000)));

    [Fact]
    public void The_shipped_tasks_are_those_of_the_default_seed() =>
        Assert.Equal(
            Encoding.UTF8.GetString(Written(stream => TaskGenerator.Write(stream, TaskGenerator.DefaultSeed))),
            File.ReadAllText(Path.Combine(Repository.Root, "samples", "tasks.jsonl")));

    [Fact]
    public void Another_seed_makes_other_data()
    {
        Assert.NotEqual(Tasks, TaskGenerator.Generate(2));
        Assert.NotEqual(Digest(stream => CorpusGenerator.Write(stream, 1, 2_000)), Digest(stream => CorpusGenerator.Write(stream, 2, 2_000)));
    }

    [Fact]
    public void What_is_written_is_read_again()
    {
        using var folder = new TemporaryFolder();
        using (FileStream file = File.Create(folder["tasks.jsonl"])) TaskGenerator.Write(file, 1);
        Assert.Equal(Tasks, InstructionFile.Read(folder["tasks.jsonl"]).Records);
    }

    [Fact]
    public void Categories_are_uneven_but_none_is_small()
    {
        Dictionary<string, int> counts = Tasks.CountBy(task => task.Category).ToDictionary();
        Assert.Equal(
            new Dictionary<string, int>
            {
                ["who"] = 468,
                ["where"] = 450,
                ["color"] = 432,
                ["list"] = 414,
                ["quote"] = 396,
                ["member"] = 378,
                ["kind"] = 360,
                ["mood"] = 360,
                ["day"] = 342,
            },
            counts);
    }

    [Fact]
    public void No_prompt_comes_twice() => Assert.Equal(Tasks.Count, Tasks.DistinctBy(task => (task.Text, task.Context)).Count());

    [Fact]
    public void Prompts_and_answers_are_short()
    {
        Assert.All(Tasks, task => Assert.InRange(Words(PromptTemplate.Plain.Prompt(task)[0].Text), 5, 32));
        Assert.All(Tasks, task => Assert.InRange(Words(task.Response), 1, 4));
    }

    [Fact]
    public void An_answer_has_the_form_of_its_category()
    {
        Assert.Equal(["no", "yes"], Answers("member"));
        Assert.Equal(["animals", "clothes", "colors", "food", "places", "tools"], Answers("kind"));
        Assert.Equal(["angry", "happy", "sad", "scared"], Answers("mood"));
        Assert.Equal(7, Answers("day").Length);
        foreach (string category in (string[])["where", "color", "list", "quote"])
            Assert.All(Tasks.Where(task => task.Category == category), task => Assert.Contains(task.Response, task.Context, StringComparison.Ordinal));
        Assert.All(Tasks.Where(task => task.Category == "who"), task => Assert.Contains(task.Response["it ".Length..] + ".", task.Context, StringComparison.Ordinal));

        string[] Answers(string category) =>
            [.. Tasks.Where(task => task.Category == category).Select(task => task.Response).Distinct().Order(StringComparer.Ordinal)];
    }

    [Fact]
    public void No_single_answer_wins_a_category()
    {
        foreach (IGrouping<string, Instruction> category in Tasks.GroupBy(task => task.Category))
            Assert.InRange(category.CountBy(task => task.Response).Max(pair => pair.Value) / (double)category.Count(), 0, 0.56);
    }

    [Fact]
    public void The_corpus_holds_no_prompt_and_no_question()
    {
        // Every prompt has a question mark and the answer's mark, and the corpus has neither.
        Assert.All(Tasks, task => Assert.EndsWith("?\nA:", PromptTemplate.Plain.Prompt(task)[0].Text, StringComparison.Ordinal));
        string text = Corpus.Value.Replace('\n', ' ');
        Assert.DoesNotContain("?", text, StringComparison.Ordinal);
        Assert.DoesNotContain("A:", text, StringComparison.Ordinal);
        // Nor do the questions occur as statements: these are the first words of them all.
        string[] beginnings = ["who has", "where is", "what color", "what comes", "what does", "what are", "how does", "when does"];
        Assert.All(beginnings, beginning => Assert.DoesNotContain(beginning, text, StringComparison.OrdinalIgnoreCase));
        string[] withPerson = [.. Lexicon.People.Select(person => $"Does {person}")];
        Assert.All(withPerson, beginning => Assert.DoesNotContain(beginning, text, StringComparison.Ordinal));
        Assert.All(
            Tasks,
            task => Assert.Contains([.. beginnings, .. withPerson], beginning => task.Text.StartsWith(beginning, StringComparison.OrdinalIgnoreCase)));
    }

    [Fact]
    public void The_corpus_never_names_a_kind_or_a_mood_in_a_sentence_with_what_it_labels()
    {
        string[] labels = ["animals", "food", "tools", "clothes", "colors", "places", "happy", "sad", "angry", "scared"];
        string[] labelled =
        [
            .. Lexicon.Animals, .. Lexicon.Foods, .. Lexicon.Tools, .. Lexicon.Clothes, .. Lexicon.Colors, .. Lexicon.Places, .. Lexicon.Objects,
        ];
        foreach (string sentence in Corpus.Value.Split('.', '\n'))
        {
            if (!labels.Any(label => sentence.Contains(label, StringComparison.Ordinal))) continue;
            Assert.Empty(sentence.Split([' ', ',', ':'], StringSplitOptions.RemoveEmptyEntries).Intersect(labelled));
        }
    }

    [Fact]
    public void The_corpus_has_its_size_and_ends_with_a_whole_story()
    {
        Assert.InRange(Corpus.Value.Length, CorpusGenerator.DefaultBytes, CorpusGenerator.DefaultBytes + 2_000);
        Assert.EndsWith(".\n\n", Corpus.Value, StringComparison.Ordinal);
    }

    [Fact]
    public void Every_word_of_the_tasks_occurs_in_the_corpus()
    {
        HashSet<string> known = [.. Split(Corpus.Value)];
        Assert.Empty(Tasks.SelectMany(task => Split($"{task.Context} {task.Text} {task.Response}")).Distinct().Except(known));

        static IEnumerable<string> Split(string text) => text.Split([' ', '\n', '.', ',', ':', '?'], StringSplitOptions.RemoveEmptyEntries);
    }

    [Fact]
    public void Sizes_out_of_range_are_refused()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => TaskGenerator.Generate(1, 99));
        Assert.Throws<ArgumentOutOfRangeException>(() => TaskGenerator.Generate(1, TaskGenerator.MaximumCount + 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => CorpusGenerator.Write(Stream.Null, 1, 0));
        Assert.Equal(TaskGenerator.MaximumCount, TaskGenerator.Generate(1, TaskGenerator.MaximumCount).Count);
    }

    private static int Words(string text) => text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries).Length;

    private static byte[] Written(Action<Stream> write)
    {
        using var stream = new MemoryStream();
        write(stream);
        return stream.ToArray();
    }

    private static string Digest(Action<Stream> write) => Convert.ToHexString(SHA256.HashData(Written(write)));
}
