using System.CommandLine;
using System.Globalization;
using System.Net;
using System.Text;
using System.Text.Json.Nodes;
using EcoLora.Telemetry;

namespace EcoLora.Local.Bench;

/// <summary><c>ecolora bench links</c>: the two ends of a slow link, and what they found beside the model.</summary>
internal static class LinkBenchCommand
{
    private const string UsualEntries = "20000,200000,1000000";

    public static Command Create() =>
        new("links", "Time frames over slow links and compare with the report's model; bench/links/measure.sh makes the links.") { Hub(), Site(), Table() };

    private static DocumentedCommand Hub()
    {
        Option<string?> listen = Arguments.Text("--listen", "IP:PORT", "Where the site calls.");
        (Option<string?> updates, Option<string[]> entries) = FrameOptions();
        var command = new DocumentedCommand("hub", "Be the hub's end, until the site is done.", "", "ecolora bench links hub --listen 10.9.0.1:7000 --updates runs/kept/updates")
        {
            listen, updates, entries,
        };
        command.SetAction((parsed, cancellation) => Task.Run(() =>
        {
            using LinkListener listener = LinkListener.At(Place("--listen", parsed.GetValue(listen)));
            IReadOnlyList<LinkFrame> frames = Frames(parsed.GetValue(updates), parsed.GetValue(entries));
            using LinkEnd end = listener.Accept(LinkEnd.UsualPause);
            end.ServeHub(frames);
            return ExitCodes.Success;
        }, cancellation));
        return command;
    }

    private static DocumentedCommand Site()
    {
        Option<string?> connect = Arguments.Text("--connect", "IP:PORT", "Where the hub listens.");
        Option<string?> link = Arguments.Choice("--link", [.. Link.Paper.Select(LinkRow.Name)], "The link between them: UL/DL in Mbps, 50 ms each way.");
        (Option<string?> updates, Option<string[]> entries) = FrameOptions();
        Option<string?> @out = Arguments.Text("--out", "FILE", "Gets the rows, as JSON.");
        var command = new DocumentedCommand("site", "Be the site's end: send each frame up, receive it again, read the interface's counters.", "",
            "ecolora bench links site --connect 10.9.0.1:7000 --link 0.2/1 --updates runs/kept/updates --out /tmp/rows.json")
        {
            connect, link, updates, entries, @out,
        };
        command.SetAction((parsed, cancellation) => Task.Run(() =>
        {
            Link between = Link.Paper.FirstOrDefault(each => LinkRow.Name(each) == parsed.GetValue(link)) ?? throw new ArgumentException("--link: expected a link, found none");
            string file = parsed.GetValue(@out) ?? throw new ArgumentException("--out: expected a file, found none");
            IReadOnlyList<LinkFrame> frames = Frames(parsed.GetValue(updates), parsed.GetValue(entries));
            using LinkEnd end = LinkEnd.Connect(Place("--connect", parsed.GetValue(connect)), LinkEnd.UsualPause);
            var rows = new JsonArray();
            foreach (LinkMeasurement found in end.MeasureSite(frames))
            {
                var row = new LinkRow(between, found.IsUp, found.Frame.Exchange, found.Frame.Bytes.Length, found.Seconds, found.PacketBytes, found.ReverseBytes);
                Console.Error.WriteLine(string.Join("  ", row.Cells));
                rows.Add((JsonNode)row.ToJson());
            }
            OutputFile.Write(file, stream => stream.Write(Encoding.UTF8.GetBytes(ResultTable.Text(rows) + "\n")));
            return ExitCodes.Success;
        }, cancellation));
        return command;
    }

    private static DocumentedCommand Table()
    {
        Option<string[]> rows = Arguments.Texts("--rows", "FILE", "What a site wrote; can be given several times.");
        Option<string[]> report = Arguments.Texts("--report", "FILE", "A run's report.json: its time on the links; can be given several times.");
        Option<string?> @out = Arguments.Text("--out", "DIR", "Folder that gets links.md and links.json too.");
        Option<bool> json = Arguments.Json("the rows");
        var command = new DocumentedCommand("table", "Set measurements beside the model, and a run's communication beside its computing.", "",
            "ecolora bench links table --rows /tmp/rows.json --report runs/dolly/report.json --out bench/results/epyc")
        {
            rows, report, @out, json,
        };
        command.SetAction(parsed =>
        {
            LinkRow[] measured = [.. parsed.GetRequiredValue(rows).SelectMany(file => JsonNode.Parse(File.ReadAllText(file))!.AsArray()).Select(row => LinkRow.Of(row!))];
            LinkRunTable[] runs = [.. parsed.GetRequiredValue(report).Select(file => new LinkRunTable(ReportJson.Read(File.ReadAllBytes(file), file)))];
            string date = DateTime.UtcNow.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture);
            string title = $"{BenchMachine.CpuModel()}, Linux {Environment.OSVersion.Version}, .NET {Environment.Version}, {date}";
            var worst = new ResultTable(title, ["all rows", "smallest", "largest"],
            [
                ["measured/model", Fixed(measured.Select(row => row.Ratio).DefaultIfEmpty().Min()), Fixed(measured.Select(row => row.Ratio).DefaultIfEmpty().Max())],
                ["interface/stated", Fixed(1 + measured.Select(row => row.Difference).DefaultIfEmpty().Min()), Fixed(1 + measured.Select(row => row.Difference).DefaultIfEmpty().Max())],
            ]);
            ResultTable[] tables = [worst, new("Frames", LinkRow.Headings, [.. measured.Select(row => row.Cells)]), .. runs.Select(run => run.ToTable())];
            var result = new JsonObject
            {
                ["kind"] = "bench-links",
                ["machine"] = new JsonObject
                {
                    ["cpu"] = BenchMachine.CpuModel(),
                    ["linux"] = Environment.OSVersion.Version.ToString(),
                    ["dotnet"] = Environment.Version.ToString(),
                    ["date"] = date,
                },
                ["rows"] = new JsonArray([.. measured.Select(row => row.ToJson())]),
                ["runs"] = new JsonArray([.. runs.Select(run => run.ToJson())]),
            };
            if (parsed.GetValue(@out) is { } folder) BenchPage.Write(folder, "links", "# Slow links\n\nMade by `bench/links/measure.sh`; the model is in docs/network-time.md.", tables, result);
            ResultTable.Print(parsed.GetValue(json), result, tables);
            return ExitCodes.Success;
        });
        return command;
    }

    private static (Option<string?> Updates, Option<string[]> Entries) FrameOptions() => (
        Arguments.Text("--updates", "DIR", "Folder updates/ that 'ecolora run --keep-updates' left; the same at both ends."),
        Arguments.Words("--entries", null, $"Most entries of a frame, in turn; the same at both ends. [default: {UsualEntries}]"));

    private static IReadOnlyList<LinkFrame> Frames(string? updates, string[]? entries) => LinkFrames.Make(
        updates ?? throw new ArgumentException("--updates: expected a folder, found none"),
        [
            .. BenchCommand.Given(entries, UsualEntries.Split(',')).Select(word => int.TryParse(word, NumberStyles.None, CultureInfo.InvariantCulture, out int number) && number >= 1
                ? number : throw new ArgumentException($"--entries: expected whole numbers from 1, found '{word}'")),
        ]);

    private static IPEndPoint Place(string option, string? text) =>
        IPEndPoint.TryParse(text ?? "", out IPEndPoint? place) && place.Port != 0 ? place : throw new ArgumentException($"{option}: expected IP:PORT, found '{text}'");

    private static string Fixed(double value) => value.ToString("f3", CultureInfo.InvariantCulture);
}
