using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;

namespace EcoLora.Local.Bench;

/// <summary>What <c>ecolora bench codec</c> found.</summary>
/// <param name="Machine">What it was measured on.</param>
/// <param name="Rows">Codecs.</param>
/// <param name="Kernels">Kernels.</param>
internal sealed record BenchReport(BenchMachine Machine, IReadOnlyList<BenchRow> Rows, IReadOnlyList<KernelRow> Kernels)
{
    /// <summary>For programs.</summary>
    public JsonObject ToJson() => new()
    {
        ["kind"] = "bench-codec",
        ["machine"] = Machine.ToJson(),
        ["rows"] = new JsonArray([.. Rows.Select(row => row.ToJson())]),
        ["kernels"] = new JsonArray([.. Kernels.Select(row => row.ToJson())]),
    };

    /// <summary>For the terminal.</summary>
    public IEnumerable<ResultTable> ToTables()
    {
        yield return new ResultTable(Machine.Line, BenchRow.Headings, [.. Rows.Select(row => row.Cells)]);
        if (Kernels.Count > 0) yield return new ResultTable("", KernelRow.Headings, [.. Kernels.Select(row => row.Cells)]);
    }

    /// <summary>The same as a page: for each data set a table of sizes and two of speeds, a column per density.</summary>
    public string ToMarkdown()
    {
        var text = new StringBuilder("# Codec\n\nMade by `./ecolora bench codec`; how to read it is in bench/README.md.\n\n");
        text.Append(Machine.Line).Append('\n');
        foreach (IGrouping<string, BenchRow> data in Rows.GroupBy(row => CodecBench.WithoutSlice(row.Data)))
        {
            double[] densities = [.. data.Select(row => row.Density).Distinct()];
            Section(text, $"{data.Key}: bits per kept entry", data, densities, row => BenchRow.Fixed(row.BitsPerKept));
            BenchRow[] timed = [.. data.Where(row => row.EncodeGbS is not null)];
            if (timed.Length == 0) continue;
            Section(text, $"{data.Key}: encode / decode, GB/s", timed, densities, row => $"{BenchRow.Speed(row.EncodeGbS)} / {BenchRow.Speed(row.DecodeGbS)}");
            Section(text, $"{data.Key}: encode / decode, ratio to memcpy", timed, densities,
                row => $"{BenchRow.Fixed(row.EncodeToMemcpy)} / {BenchRow.Fixed(row.DecodeToMemcpy)}");
        }
        foreach (IGrouping<string, KernelRow> data in Kernels.GroupBy(row => row.Data))
        {
            double[] densities = [.. data.Select(row => row.Density).Distinct()];
            Heading(text, $"{data.Key}: kernels, ratio to memcpy", "kernel", densities);
            foreach (IGrouping<string, KernelRow> kernel in data.GroupBy(row => row.Kernel))
                Line(text, $"{kernel.Key} ({kernel.First().Note})",
                    densities.Select(d => BenchRow.Fixed(kernel.FirstOrDefault(row => row.Density == d)?.ToMemcpy)));
        }
        return text.ToString();
    }

    private static void Section(StringBuilder text, string title, IEnumerable<BenchRow> rows, double[] densities, Func<BenchRow, string> cell)
    {
        Heading(text, title, "codec", densities);
        foreach (IGrouping<(string Codec, int Entries), BenchRow> codec in rows.GroupBy(row => (row.Codec, row.Entries)))
        {
            string size = codec.First().Absent is null ? $"{codec.Key.Entries.ToString(CultureInfo.InvariantCulture)} entries" : "absent";
            Line(text, $"{codec.Key.Codec} ({size})", densities.Select(d => codec.FirstOrDefault(row => row.Density == d) is { } row ? cell(row) : ""));
        }
    }

    private static void Heading(StringBuilder text, string title, string first, double[] densities)
    {
        text.Append(CultureInfo.InvariantCulture, $"\n## {title}\n\n");
        Line(text, first, densities.Select(density => density.ToString(CultureInfo.InvariantCulture)));
        Line(text, "---", densities.Select(_ => "---"));
    }

    private static void Line(StringBuilder text, string first, IEnumerable<string> cells) =>
        text.Append(CultureInfo.InvariantCulture, $"| {first} | {string.Join(" | ", cells)} |\n");
}
