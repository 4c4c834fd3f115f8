using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace EcoLora.Telemetry.Tests;

public partial class ReportPageTests
{
    private static readonly HashSet<string> Void = ["meta", "!DOCTYPE"];

    private static readonly RunReport Report = SampleRun.Report(timing: SampleRun.Timing);

    private static readonly string Page = ReportPage.Render(Report);

    [Fact]
    public void The_page_comes_from_report_json_alone()
    {
        RunReport read = ReportJson.Read(ReportJson.Write(Report), "report.json");
        Assert.Equal(Page, ReportPage.Render(read));
    }

    [Fact]
    public void The_page_does_not_depend_on_the_culture()
    {
        CultureInfo before = CultureInfo.CurrentCulture;
        try
        {
            CultureInfo.CurrentCulture = new CultureInfo("") { NumberFormat = { NumberDecimalSeparator = ",", NegativeSign = "~" } };
            Assert.Equal(Page, ReportPage.Render(Report));
        }
        finally
        {
            CultureInfo.CurrentCulture = before;
        }
    }

    [Fact]
    public void A_page_about_pairs_shows_rewards_instead_of_exact_match()
    {
        string page = ReportPage.Render(SampleRun.OfPairs());
        foreach (string text in (string[])["Reward accuracy per round", "Reward margin per megabyte", "<h3>Reward accuracy</h3>", ">reward margin</th>", "Mean DPO loss per pair"])
            Assert.Contains(text, page, StringComparison.Ordinal);
        Assert.DoesNotContain("exact match", page, StringComparison.OrdinalIgnoreCase);
        Assert.DoesNotContain("reward", Page, StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    public void The_page_shows_the_comparison_that_the_terminal_shows()
    {
        var table = SummaryTable.Of(Report);
        foreach (SummaryRow row in table.Rows)
            Assert.Contains($"{row.Arm}</th><td>" + string.Join("</td><td>", table.Cells(row).Skip(1)) + "</td>", Page, StringComparison.Ordinal);
    }

    [Fact]
    public void The_page_shows_every_number_of_the_ledger_totals_the_rounds_and_the_links()
    {
        foreach (ArmReport arm in Report.Arms)
        {
            foreach (StageBytes bytes in new[] { arm.Totals.Up, arm.Totals.Down })
                foreach (long stage in new[] { bytes.DenseFp32, bytes.DenseFp16, bytes.Segment, bytes.Sparse, bytes.Golomb, bytes.Coded, bytes.Framed })
                    Shows(Quantity.Count(stage));
            Shows(Quantity.Count(arm.Totals.ControlUp.Framed));
            Shows(Quantity.Count(arm.Totals.ControlDown.Framed));
            Shows(Quantity.Ratio(arm.Measured.TotalFp16));
            foreach (RoundReport round in arm.Rounds)
                Shows(
                    $"{round.Round}</td><td>{Quantity.Loss(round.TrainLoss)}</td><td>{Quantity.Loss(round.HeldOut?.Loss)}</td>"
                    + $"<td>{Quantity.Percent(round.HeldOut?.ExactMatch)}</td><td>{Quantity.Percent(round.KA)}</td><td>{Quantity.Percent(round.KB)}</td>");
            foreach (CategoryScore score in arm.Final!.PerCategory) Shows($"{score.Category}\n{arm.Name}: {Quantity.Percent(score.ExactMatch)}");
        }
        foreach (LinkArm time in Report.Links.SelectMany(link => link.Arms)) Shows(Quantity.Seconds(time.Seconds));
        foreach (Participant participant in Report.Arms[0].Rounds.SelectMany(round => round.Participants)) Shows(Quantity.Loss(participant.Loss));
        Assert.Equal(1, Headline("Uplink", Quantity.Ratio(Report.Arms[0].Computed.UpFp16)));
        Assert.Equal(1, Headline("Downlink", Quantity.Ratio(Report.Arms[0].Computed.DownFp16)));
    }

    [Fact]
    public void The_page_shows_the_effective_options_and_what_was_refused()
    {
        Shows("<dt>codec.kMinA</dt><dd class=\"\">0.6</dd>");
        Shows("<dt>lora.modules</dt><dd class=\"\">q_proj, v_proj</dd>");
        Shows("1 update is not in the result");
        Shows("loss: expected a finite number, found NaN");
        Shows("took 2 min 22 s on 2 threads, peak memory 412 MB.");
    }

    [Fact]
    public void Nothing_is_loaded_from_elsewhere()
    {
        Assert.DoesNotMatch("https?:", Page);
        Assert.DoesNotMatch(@"\b(src|srcset|action|poster)\s*=", Page);
        Assert.DoesNotMatch(@"@import|url\s*\(|<link|<img|<iframe|fetch\(|XMLHttpRequest|WebSocket|innerHTML|insertAdjacentHTML|document\.write", Page);
        Assert.DoesNotMatch("href=\"[^#]", Page);
        Assert.Contains("default-src 'none'", Page, StringComparison.Ordinal);
    }

    [Fact]
    public void The_content_security_policy_names_the_style_and_the_script_that_are_there()
    {
        foreach (string element in new[] { "style", "script" })
        {
            string content = Regex.Match(Page, $"<{element}>(.*?)</{element}>", RegexOptions.Singleline).Groups[1].Value;
            Assert.NotEmpty(content);
            string hash = Convert.ToBase64String(SHA256.HashData(Encoding.UTF8.GetBytes(content)));
            Assert.Contains($"{element}-src 'sha256-{hash}'", Page, StringComparison.Ordinal);
            Assert.Single(Regex.Matches(Page, $"<{element}[ >]"));
        }
        Assert.DoesNotMatch(@"<[^>]*\s(style|on[a-z]+)=", Tags(Page));
    }

    [Theory]
    [InlineData("<script>alert(1)</script>")]
    [InlineData("\"><img src=x onerror=alert(1)>")]
    [InlineData("'; alert(1); '</style></title></svg>")]
    [InlineData("&lt;script&gt; \0 \u001b[2J")]
    public void Hostile_text_stays_text(string hostile)
    {
        ArmFacts first = SampleRun.Arms()[0];
        Participant participant = new(hostile, hostile, 0, 0, 1, 1, ParticipantStatus.Refused, hostile);
        Evaluation score = new(1, 1, 1, [new CategoryScore(hostile, 1, 1, 1)]);
        ArmFacts arm = first with
        {
            Name = hostile,
            Method = hostile,
            AdapterDigest = hostile,
            Before = score,
            Rounds = [new(0, [participant], 1, 1, 1, score)],
            Ledger = [],
        };
        var options = JsonSerializer.SerializeToElement(new Dictionary<string, string[]> { [hostile] = [hostile] });
        RunFacts facts = SampleRun.Facts(hostile) with
        {
            Options = options,
            ProductVersion = hostile,
            Model = new ModelFacts(hostile, 1, 1, 1, 1, [hostile]),
            Data = new DataFacts(hostile, 1, 1, 1, hostile, [hostile], [new ClientData(hostile, hostile, 1, [1])]),
            Decisions = new DecisionFacts(hostile, 1, hostile),
        };
        string page = ReportPage.Render(RunReport.Of(facts, [arm], null));
        string harmless = ReportPage.Render(RunReport.Of(facts with { Run = "x" }, [arm], null));
        Assert.Equal(TagNames(harmless), TagNames(page));
        Assert.Single(Regex.Matches(page, "<script"));
        Assert.DoesNotContain("<img", page, StringComparison.Ordinal);
        Assert.DoesNotContain('\0', page);
        Assert.Empty(Unbalanced(page));
    }

    [Fact]
    public void Every_element_is_closed()
    {
        Assert.Empty(Unbalanced(Page));
        Assert.DoesNotContain("NaN,", Tags(Page), StringComparison.Ordinal);
        Assert.DoesNotMatch(@"=""[^""]*(NaN|Infinity|∞)", Regex.Replace(Page, "<title>.*?</title>", "", RegexOptions.Singleline));
    }

    [Fact]
    public void A_run_before_its_first_round_renders()
    {
        ArmFacts arm = SampleRun.Arms()[0] with { Rounds = [], Ledger = [], Before = null };
        RunFacts facts = SampleRun.Facts("early") with { Data = new DataFacts("none", 0, 0, 0, "iid", [], []), Decisions = null };
        string page = ReportPage.Render(RunReport.Of(facts, [arm], null));
        Assert.Contains("Nothing measured.", page, StringComparison.Ordinal);
        Assert.Empty(Unbalanced(page));
    }

    [Fact]
    public void Values_that_do_not_change_still_have_an_axis()
    {
        Evaluation same = new(1, 0, 0, []);
        RoundFacts[] rounds = [new(0, [], 0, 1, 1, same), new(1, [], 0, 1, 1, same)];
        ArmFacts arm = SampleRun.Arms()[0] with { Rounds = rounds, Ledger = [], Before = same };
        string page = ReportPage.Render(RunReport.Of(SampleRun.Facts("flat"), [arm], null));
        Assert.Empty(Unbalanced(page));
        Assert.DoesNotMatch(@"=""[^""]*(NaN|Infinity|∞)", Regex.Replace(page, "<title>.*?</title>", "", RegexOptions.Singleline));
    }

    [Fact]
    public void Plots_have_names_and_tables_have_headings()
    {
        Assert.All(Regex.Matches(Page, "<svg[^>]*>").Select(match => match.Value), svg => Assert.Matches("aria-label=\"[^\"]+\"|aria-hidden=\"true\"", svg));
        Assert.All(Regex.Matches(Page, "<th[ >][^>]*>").Select(match => match.Value), heading => Assert.Contains("scope=", heading, StringComparison.Ordinal));
        Assert.Contains("<html lang=\"en\">", Page, StringComparison.Ordinal);
    }

    private static void Shows(string text) => Assert.Contains(text, Page, StringComparison.Ordinal);

    private static int Headline(string title, string number) => Regex.Count(Page, $"<h3>{title}</h3><p class=\"big\">{Regex.Escape(number)}</p>");

    private static string Tags(string page) => string.Concat(TagPattern().Matches(Body(page)).Select(match => match.Value));

    private static string[] TagNames(string page) => [.. TagPattern().Matches(Body(page)).Select(match => match.Groups[1].Value + match.Groups[2].Value)];

    private static string Body(string page) => Regex.Replace(page, "<(style|script)>.*?</\\1>", "", RegexOptions.Singleline);

    /// <summary>Names of elements that are closed out of order or not at all.</summary>
    private static List<string> Unbalanced(string page)
    {
        var open = new Stack<string>();
        foreach (Match tag in TagPattern().Matches(Body(page)))
        {
            string name = tag.Groups[2].Value;
            if (Void.Contains(name) || tag.Value.EndsWith("/>", StringComparison.Ordinal)) continue;
            if (tag.Groups[1].Length == 0) open.Push(name);
            else if (open.Count == 0 || open.Pop() != name) return [name];
        }
        return [.. open];
    }

    [GeneratedRegex("<(/?)([A-Za-z!][A-Za-z0-9]*)[^>]*>")]
    private static partial Regex TagPattern();
}
