using System.Resources;
using System.Security.Cryptography;
using System.Text;

namespace EcoLora.Telemetry;

/// <summary>
/// report.html: one file without any request to elsewhere, readable without scripts, made from a report alone. Equal reports give equal pages.
/// </summary>
public static class ReportPage
{
    private static readonly string Style = Resource("report.css");
    private static readonly string Script = Resource("report.js");

    /// <summary>Renders the page. A pure function; a report of a run that is still going, even before its first round, renders too.</summary>
    /// <param name="report">The report. All of its text is escaped.</param>
    /// <returns>An HTML document, to be stored as UTF-8.</returns>
    public static string Render(RunReport report)
    {
        var html = new Markup();
        html.Add($"<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
        html.Add(
            $"<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src '{Hash(Style)}'; script-src '{Hash(Script)}'; "
            + $"base-uri 'none'; form-action 'none'\">\n");
        html.Add($"<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<meta name=\"color-scheme\" content=\"light dark\">\n");
        html.Add($"<title>{report.Run} – EcoLoRA run report</title>\n<style>");
        html.Literal(Style);
        html.Add($"</style>\n</head>\n<body>\n");
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
        html.Add($"<div id=\"tip\" role=\"status\" hidden></div>\n<script>");
        html.Literal(Script);
        html.Add($"</script>\n</body>\n</html>\n");
        return html.ToString();
    }

    private static string Hash(string text) => "sha256-" + Convert.ToBase64String(SHA256.HashData(Encoding.UTF8.GetBytes(text)));

    private static string Resource(string name)
    {
        using Stream stream = typeof(ReportPage).Assembly.GetManifestResourceStream($"EcoLora.Telemetry.Page.{name}")
            ?? throw new MissingManifestResourceException(name);
        using var reader = new StreamReader(stream, Encoding.UTF8);
        // A browser hashes the text with line feeds, whatever the checkout made of them.
        return reader.ReadToEnd().ReplaceLineEndings("\n");
    }
}
