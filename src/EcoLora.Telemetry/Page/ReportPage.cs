namespace EcoLora.Telemetry;

/// <summary>
/// report.html: one file without any request to elsewhere, readable without scripts, made from a report alone. Equal reports give equal pages.
/// </summary>
public static class ReportPage
{
    /// <summary>Renders the page. A pure function; a report of a run that is still going, even before its first round, renders too.</summary>
    /// <param name="report">The report. All of its text is escaped.</param>
    /// <returns>An HTML document, to be stored as UTF-8.</returns>
    public static string Render(RunReport report) => HtmlDocument.Of($"{report.Run} – EcoLoRA run report", html =>
    {
        HeadlineSection.AddTo(html, report);
        html.Add($"<main>\n");
        ComparisonSection.AddTo(html, report);
        QualitySection.AddTo(html, report);
        BytesSection.AddTo(html, report);
        SparsitySection.AddTo(html, report);
        LinkSection.AddTo(html, report);
        ClientSection.AddTo(html, report);
        LedgerSection.AddTo(html, report);
        RunSection.AddTo(html, report);
        html.Add($"</main>\n");
        RunSection.AddFooter(html, report);
    });
}
