using System.Text.Encodings.Web;
using System.Text.Json;
using EcoLora.Numerics;
using static EcoLora.Formats.Data.Synthetic.Lexicon;

namespace EcoLora.Formats.Data.Synthetic;

/// <summary>
/// Makes the project's own instruction data: short English questions of nine categories, each with one right answer of a few words, for exact match.
/// Every prompt is made once. The same seed and count give the same bytes.
/// </summary>
/// <remarks>
/// The categories want different answers (a name, a place, a colour, a weekday, yes or no …), so that clients with different
/// categories pull an adapter in different directions. Who, where, color, list, quote and member ask for something in the context; kind, mood
/// and day for what a model knows of words. <see cref="CorpusGenerator"/> makes text that teaches the words, but neither questions nor labels.
/// </remarks>
public static class TaskGenerator
{
    /// <summary>Seed of the data set that the repository ships.</summary>
    public const ulong DefaultSeed = 1;

    /// <summary>Number of records of the data set that the repository ships.</summary>
    public const int DefaultCount = 3600;

    /// <summary>Most records that are made; each category has more different prompts than its share of these.</summary>
    public const int MaximumCount = 10_000;

    /// <summary>A category with its share of the records, in thousandths, and how one of its records is made.</summary>
    private static readonly (string Name, int Share, Func<Draw, (string Context, string Text, string Response)> Make)[] Categories =
    [
        ("who", 130, Who), ("where", 125, Where), ("color", 120, Color), ("list", 115, NextInList), ("quote", 110, Quote),
        ("member", 105, Member), ("kind", 100, Kind), ("mood", 100, Mood), ("day", 95, NextDay),
    ];

    /// <summary>Makes the records, in random order of the categories.</summary>
    /// <param name="seed">Decides every record.</param>
    /// <param name="count">In [100, <see cref="MaximumCount"/>].</param>
    /// <exception cref="ArgumentOutOfRangeException">The count is out of its range.</exception>
    public static IReadOnlyList<Instruction> Generate(ulong seed, int count = DefaultCount)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 100);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(count, MaximumCount);
        var records = new List<Instruction>(count);
        var prompts = new HashSet<(string, string)>();
        for (int c = 0; c < Categories.Length; c++)
        {
            (string name, int share, Func<Draw, (string Context, string Text, string Response)> make) = Categories[c];
            int wanted = c == 0 ? count - Categories[1..].Sum(other => count * other.Share / 1000) : count * share / 1000;
            var draw = new Draw(new RandomStream(seed, "tasks", c));
            while (wanted > 0)
            {
                (string context, string text, string response) = make(draw);
                if (!prompts.Add((context, text))) continue;
                records.Add(new Instruction(text, context, response, name));
                wanted--;
            }
        }
        new RandomStream(seed, "task-order").Shuffle(System.Runtime.InteropServices.CollectionsMarshal.AsSpan(records));
        return records;
    }

    /// <summary>Writes the records as JSONL with Dolly's field names, UTF-8, '\n' after every line.</summary>
    /// <param name="stream">Where to. Stays open.</param>
    /// <param name="seed">Decides every record.</param>
    /// <param name="count">In [100, <see cref="MaximumCount"/>].</param>
    /// <exception cref="ArgumentOutOfRangeException">The count is out of its range.</exception>
    public static void Write(Stream stream, ulong seed, int count = DefaultCount)
    {
        // Quotation marks inside a string are then \" and no six-byte escape.
        using var json = new Utf8JsonWriter(stream, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping });
        foreach (Instruction record in Generate(seed, count))
        {
            json.WriteStartObject();
            json.WriteString("instruction", record.Text);
            json.WriteString("context", record.Context);
            json.WriteString("response", record.Response);
            json.WriteString("category", record.Category);
            json.WriteEndObject();
            json.Flush();
            stream.WriteByte((byte)'\n');
            json.Reset();
        }
    }

    private static (string Context, string Text, string Response) Who(Draw draw)
    {
        int count = draw.Between(1, 3), asked = draw.Between(0, count - 1);
        Person[] people = draw.Some<Person>(count, People);
        string[] things = draw.Some<string>(count, Objects);
        return (
            string.Join(' ', people.Zip(things, (person, thing) => $"The {thing} belongs to {person}.")),
            $"Who has the {things[asked]}?",
            $"it belongs to {people[asked]}");
    }

    private static (string Context, string Text, string Response) Where(Draw draw)
    {
        int count = draw.Between(1, 3), asked = draw.Between(0, count - 1);
        string[] things = draw.Some<string>(count, [.. Objects, .. Animals]);
        string[] places = draw.Some<string>(count, Places);
        return (
            string.Join(' ', things.Zip(places, (thing, place) => $"The {thing} is in the {place}.")),
            $"Where is the {things[asked]}?",
            $"in the {places[asked]}");
    }

    private static (string Context, string Text, string Response) Color(Draw draw)
    {
        int count = draw.Between(1, 3), asked = draw.Between(0, count - 1);
        Person[] people = draw.Some<Person>(count, People);
        string[] things = draw.Some<string>(count, [.. Objects, .. Clothes]);
        string[] colors = draw.Some<string>(count, Colors);
        return (
            string.Join(' ', Enumerable.Range(0, count).Select(i => $"{people[i]} has a {colors[i]} {things[i]}.")),
            $"What color is the {things[asked]}?",
            colors[asked]);
    }

    private static (string Context, string Text, string Response) NextInList(Draw draw)
    {
        string[] things = draw.Some<string>(draw.Between(3, 5), [.. Objects, .. Tools, .. Clothes]);
        int asked = draw.Between(0, things.Length - 2);
        return ($"A list: {string.Join(' ', things)}.", $"What comes after {things[asked]}?", things[asked + 1]);
    }

    private static (string Context, string Text, string Response) Quote(Draw draw)
    {
        Person[] people = draw.Some<Person>(2, People);
        string[] things = draw.Some<string>(2, [.. Objects, .. Animals, .. Clothes]);
        string[] words = [$"the {draw.One(Sizes)} {draw.One(Colors)} {things[0]}", $"the {draw.One(Sizes)} {draw.One(Colors)} {things[1]}"];
        int count = draw.Between(1, 2), asked = draw.Between(0, count - 1);
        return (string.Join(' ', Enumerable.Range(0, count).Select(i => $"{people[i]} says: {words[i]}.")), $"What does {people[asked]} say?", words[asked]);
    }

    private static (string Context, string Text, string Response) Member(Draw draw)
    {
        Person person = draw.One(People);
        string[] things = draw.Some<string>(4, Objects);
        int count = draw.Between(1, 3);
        bool has = draw.Chance(0.5);
        return (
            $"{person} has {string.Join(" and ", things[..count].Select(thing => $"a {thing}"))}.",
            $"Does {person} have a {(has ? things[draw.Between(0, count - 1)] : things[3])}?",
            has ? "yes" : "no");
    }

    private static (string Context, string Text, string Response) Kind(Draw draw)
    {
        (string name, string[] words) = draw.One<(string, string[])>(
            ("animals", Animals), ("food", Foods), ("tools", Tools), ("clothes", Clothes), ("colors", Colors), ("places", Places));
        string[] some = draw.Some<string>(draw.Between(2, 3), words);
        return ($"A list: {string.Join(' ', some)}.", "What are these?", name);
    }

    private static (string Context, string Text, string Response) Mood(Draw draw)
    {
        Person[] people = draw.Some<Person>(2, People);
        (string mood, string[] events) = draw.One(Moods.All);
        return ($"{people[0]} {Moods.Present(draw.One(events), people[0], people[1], draw)}.", $"How does {people[0]} feel?", mood);
    }

    private static (string Context, string Text, string Response) NextDay(Draw draw)
    {
        Person person = draw.One(People);
        int day = draw.Between(0, 6);
        return ($"{person} comes to the {draw.One(Places)} on {Days[day]} and leaves the next day.", $"When does {person} leave?", $"on {Days[(day + 1) % 7]}");
    }
}
