using System.Resources;
using System.Security.Cryptography;
using System.Text;

namespace EcoLora.Telemetry;

/// <summary>The shell of a page: one file without any request to elsewhere, readable without scripts.</summary>
internal static class HtmlDocument
{
    private static readonly string Style = Resource("report.css");
    private static readonly string Script = Resource("report.js");

    /// <summary>A document with that title and body.</summary>
    public static string Of(string title, Action<Markup> body)
    {
        var html = new Markup();
        html.Add($"<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
        html.Add(
            $"<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src '{Hash(Style)}'; script-src '{Hash(Script)}'; "
            + $"base-uri 'none'; form-action 'none'\">\n");
        html.Add($"<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<meta name=\"color-scheme\" content=\"light dark\">\n");
        html.Add($"<title>{title}</title>\n<style>");
        html.Literal(Style);
        html.Add($"</style>\n</head>\n<body>\n");
        body(html);
        html.Add($"<div id=\"tip\" role=\"status\" hidden></div>\n<script>");
        html.Literal(Script);
        html.Add($"</script>\n</body>\n</html>\n");
        return html.ToString();
    }

    private static string Hash(string text) => "sha256-" + Convert.ToBase64String(SHA256.HashData(Encoding.UTF8.GetBytes(text)));

    private static string Resource(string name)
    {
        using Stream stream = typeof(HtmlDocument).Assembly.GetManifestResourceStream($"EcoLora.Telemetry.Page.{name}")
            ?? throw new MissingManifestResourceException(name);
        using var reader = new StreamReader(stream, Encoding.UTF8);
        // A browser hashes the text with line feeds, whatever the checkout made of them.
        return reader.ReadToEnd().ReplaceLineEndings("\n");
    }
}
