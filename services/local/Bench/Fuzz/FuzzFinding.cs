using System.Globalization;
using EcoLora.Codec;

namespace EcoLora.Local.Bench;

/// <summary>Something that must not be.</summary>
/// <param name="Kind">What kind, in a few words.</param>
/// <param name="Where">Code path.</param>
/// <param name="Layout">Number of the frame's layout in <see cref="FuzzLayouts.All"/>.</param>
/// <param name="Origin">Seed, thread and number of the frame.</param>
/// <param name="Details">What was expected and what was found.</param>
internal sealed record FuzzFinding(string Kind, string Where, int Layout, string Origin, string Details)
{
    /// <summary>Where the frame was written.</summary>
    public string File { get; init; } = "";

    /// <summary>For people.</summary>
    public override string ToString() => $"{Kind} on {Where}: {Details}\n  frame of layout {Layout} in {File} ({Origin})";
}

/// <summary>Writes frames that must not be to files: the first one of each kind and place.</summary>
/// <param name="folder">Folder of the files.</param>
/// <param name="output">Gets lines for each.</param>
internal sealed class FindingFolder(string folder, TextWriter output)
{
    private const int Most = 100;

    private readonly Lock _gate = new();
    private readonly HashSet<string> _met = [];
    private readonly List<FuzzFinding> _findings = [];

    /// <summary>How many there were, those of one kind and place counted too.</summary>
    public long Count { get; private set; }

    /// <summary>The first of each kind and place.</summary>
    public IReadOnlyList<FuzzFinding> All
    {
        get
        {
            lock (_gate) return [.. _findings];
        }
    }

    /// <summary>Takes a finding in and writes its frame.</summary>
    public void Add(FuzzFinding finding, ReadOnlySpan<byte> frame)
    {
        lock (_gate)
        {
            Count++;
            if (_findings.Count == Most || !_met.Add($"{finding.Kind} {finding.Where} {VerdictShapes.ShapeOf(finding.Details)}")) return;
            string name = string.Create(CultureInfo.InvariantCulture, $"finding-{Environment.ProcessId}-{_findings.Count:d3}-layout-{finding.Layout}");
            string file = Path.GetFullPath(Path.Combine(folder, name + ".frame"));
            Directory.CreateDirectory(folder);
            System.IO.File.WriteAllBytes(file, frame);
            finding = finding with { File = file };
            LoraLayout layout = FuzzLayouts.All[finding.Layout];
            System.IO.File.WriteAllText(Path.ChangeExtension(file, ".txt"), $"{finding}\n  layout: {FuzzLayouts.Describe(layout)}\n");
            _findings.Add(finding);
            output.WriteLine($"finding: {finding}");
        }
    }
}
