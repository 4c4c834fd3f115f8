using System.Diagnostics;
using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text;

namespace EcoLora.Telemetry;

/// <summary>
/// HTML that cannot be injected into: the literal parts of an interpolated string are markup, every hole is escaped text or a number. There is no
/// other way to add.
/// </summary>
internal sealed class Markup
{
    private readonly StringBuilder _html = new();

    /// <summary>Adds markup; the pieces have written themselves by the time of the call.</summary>
    public void Add([InterpolatedStringHandlerArgument("")] MarkupPieces pieces) => Debug.Assert(pieces.Target == this);

    public override string ToString() => _html.ToString();

    /// <summary>Markup as it is: only for the page's own style and script.</summary>
    internal void Literal(string markup) => _html.Append(markup);

    internal void Text(string? text)
    {
        foreach (char c in text ?? "")
            _ = c switch
            {
                '&' => _html.Append("&amp;"),
                '<' => _html.Append("&lt;"),
                '>' => _html.Append("&gt;"),
                '"' => _html.Append("&quot;"),
                '\'' => _html.Append("&#39;"),
                _ when char.IsControl(c) && c != '\n' => _html.Append('\ufffd'),
                _ => _html.Append(c),
            };
    }

    /// <summary>A coordinate: at most two decimals, so that equal reports are equal pages.</summary>
    internal void Number(double number) => _html.Append(Math.Round(number, 2).ToString("0.##", CultureInfo.InvariantCulture));
}

/// <summary>The compiler's way into <see cref="Markup.Add(MarkupPieces)"/>.</summary>
[InterpolatedStringHandler]
internal readonly struct MarkupPieces
{
    private readonly Markup _markup;

    public MarkupPieces(int literalLength, int formattedCount, Markup markup)
    {
        _ = (literalLength, formattedCount);
        _markup = markup;
    }

    public Markup Target => _markup;

    public void AppendLiteral(string markup) => _markup.Literal(markup);

    public void AppendFormatted(string? text) => _markup.Text(text);

    public void AppendFormatted(double number) => _markup.Number(number);

    public void AppendFormatted(long number) => _markup.Text(number.ToString(CultureInfo.InvariantCulture));
}
