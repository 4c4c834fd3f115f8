using EcoLora.Hosting;

namespace EcoLora.Local.Bench;

/// <summary>One line of a study's table: a name, and what it changes in the study's run file.</summary>
/// <param name="Name">What people read; also the folder of its runs.</param>
/// <param name="Sets">Options as <c>--set</c> takes them.</param>
internal sealed record StudyRow(string Name, IReadOnlyList<string> Sets);

/// <summary>Runs that a table compares: one run file, rows that each change some of its options, and seeds. The first row is the reference.</summary>
internal sealed record MethodStudy
{
    private const string RowPattern = "^[a-z0-9][a-z0-9+.-]*:( +[a-z_.]+=[^ ]+)*$";

    private static readonly OptionTable Table = new(
        "Study of methods",
        [new("", "The study.")],
        [
            new("title", new TextOption("a text", "^.+$"), null, "What the table shows."),
            new("run", new TextOption("a path", "^.+$"), null, "The run file, relative to the study's file."),
            new("seeds", new IntegerListOption(0, int.MaxValue), new long[] { 1, 2, 3 }, "Seeds; every row is run with each."),
            new("zstd", new IntegerOption(1, 22), null, "Level: the reference's frames compressed by the system's zstd, each by itself, are a row of their own. Null: no such row."),
            new("rows", new ListOption(new TextOption("name: key=value key=value ...", RowPattern), 1), null, "The rows; the first is what the others are compared with."),
        ]);

    /// <summary>What the table shows.</summary>
    public required string Title { get; init; }

    /// <summary>Name of the study: its file's, without the ending.</summary>
    public required string Name { get; init; }

    /// <summary>Full path of the run file.</summary>
    public required string RunFile { get; init; }

    /// <summary>Seeds.</summary>
    public required IReadOnlyList<int> Seeds { get; init; }

    /// <summary>Level of zstd for the reference's frames, or null.</summary>
    public required int? Zstd { get; init; }

    /// <summary>The rows, the reference first.</summary>
    public required IReadOnlyList<StudyRow> Rows { get; init; }

    /// <summary>Reads and checks a study.</summary>
    /// <exception cref="OptionsException">The file cannot be used.</exception>
    public static MethodStudy Read(string file)
    {
        OptionValues values = OptionFile.Read(Table, file, []);
        StudyRow[] rows = [.. values.Texts("rows").Select(text => text.Split(':', 2)).Select(parts => new StudyRow(parts[0], parts[1].Split(' ', StringSplitOptions.RemoveEmptyEntries)))];
        if (rows.GroupBy(row => row.Name).FirstOrDefault(group => group.Count() > 1) is { } twice)
            throw new OptionsException($"{values.SourceOf("rows")}: rows: expected names of their own, found {twice.Key} twice");
        IReadOnlyList<int> seeds = values.Integers("seeds");
        if (seeds.Distinct().Count() < seeds.Count) throw new OptionsException($"{values.SourceOf("seeds")}: seeds: expected each once, found [{string.Join(", ", seeds)}]");
        string Given(string option) => values.TextOrNull(option) ?? throw new OptionsException($"{file}: {option}: expected {Table.Find(option)!.Type.Expected}, found nothing");
        if (rows.Length == 0) throw new OptionsException($"{file}: rows: expected at least one, found nothing");
        return new MethodStudy
        {
            Title = Given("title"),
            Name = Path.GetFileNameWithoutExtension(file),
            RunFile = Path.GetFullPath(Given("run"), Path.GetDirectoryName(Path.GetFullPath(file))!),
            Seeds = seeds,
            Zstd = values.IntegerOrNull("zstd"),
            Rows = rows,
        };
    }

    /// <summary>The run file of a row and a seed. Baselines are rows of their own here.</summary>
    /// <param name="row">The row.</param>
    /// <param name="seed">The seed.</param>
    /// <param name="overrides">Model, data and threads of the command line.</param>
    public RunFile FileOf(StudyRow row, int seed, IEnumerable<OptionOverride> overrides) => Hosting.RunFile.Read(RunFile,
        [.. overrides, .. row.Sets.Append(FormattableString.Invariant($"seed={seed}")).Append("baselines=[]").Select(OptionOverride.Parse)]);
}
