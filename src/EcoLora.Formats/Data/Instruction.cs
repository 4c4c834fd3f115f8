namespace EcoLora.Formats.Data;

/// <summary>One record of an instruction or preference data set, whatever its file's field names were.</summary>
/// <param name="Text">What is asked (Dolly and Alpaca: <c>instruction</c>).</param>
/// <param name="Context">What it is asked about, or empty (Dolly: <c>context</c>; Alpaca: <c>input</c>).</param>
/// <param name="Response">The answer (Dolly: <c>response</c>; Alpaca: <c>output</c>; of two, <c>chosen</c>).</param>
/// <param name="Category">Dolly's <c>category</c>, or empty.</param>
public sealed record Instruction(string Text, string Context, string Response, string Category)
{
    /// <summary>The answer that was not preferred; null in instruction data.</summary>
    public string? Rejected { get; init; }
}
