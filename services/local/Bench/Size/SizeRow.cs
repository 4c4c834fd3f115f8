using System.Globalization;
using System.Text.Json.Nodes;
using EcoLora.Telemetry;

namespace EcoLora.Local.Bench;

/// <summary>A line of the paper's Table 1, ours or theirs: millions of parameters as the paper counts them, and bytes.</summary>
/// <param name="Model">The model.</param>
/// <param name="Method">The method, and what is sent.</param>
/// <param name="Rounds">Rounds; null where the paper does not say.</param>
/// <param name="UpEntries">Entries sent up, by all participants of all rounds.</param>
/// <param name="DownEntries">Entries sent down, to as many.</param>
/// <param name="UpBytes">Frames up; null where the paper does not say.</param>
/// <param name="DownBytes">Frames down.</param>
/// <param name="Note">Where the numbers are from.</param>
internal sealed record SizeRow(string Model, string Method, double? Rounds, double UpEntries, double DownEntries, long? UpBytes, long? DownBytes, string Note)
{
    /// <summary>Headings for <see cref="Cells"/>.</summary>
    public static IReadOnlyList<string> Headings { get; } =
        ["model", "method", "rounds", "upload M", "total M", "upload M a round", "total M a round", "upload", "total", "bits up per entry sent", "note"];

    /// <summary>
    /// Upload / total of the paper's Table 1 (Llama-2-7B, until its target accuracy). Dense rows are 8.4 or 4.2 M × 10 participants × rounds each way, which gives
    /// their rounds. A compressed row's are what both columns say if a download holds what any of the two senders of a segment sent: down/up =
    /// 5·(1 − (1 − k)²)/k, which gives k, and from it the rounds; FLoRA's download is ten adapters of that density. bench/README.md says more.
    /// </summary>
    public static IReadOnlyList<SizeRow> Paper { get; } =
    [
        Dense("FedIT, Alpaca", 8.4, 2520.1, 5040.1), Eco("FedIT + EcoLoRA, Alpaca", 8.4, 346.5, 2675.7),
        Dense("FedIT, Dolly", 8.4, 2772.1, 5544.2), Eco("FedIT + EcoLoRA, Dolly", 8.4, 481.1, 3765.6),
        Dense("FLoRA, Alpaca", 8.4, 2856.1, 31416.9), Eco("FLoRA + EcoLoRA, Alpaca", 8.4, 350.9, 24165.7, 10),
        Dense("FLoRA, Dolly", 8.4, 2688.1, 29568.8), Eco("FLoRA + EcoLoRA, Dolly", 8.4, 321.6, 22023.9, 10),
        Dense("FFA-LoRA, Alpaca", 4.2, 1512.0, 3024.1), Eco("FFA-LoRA + EcoLoRA, Alpaca", 4.2, 160.1, 1265.2),
        Dense("FFA-LoRA, Dolly", 4.2, 1260.0, 2520.1), Eco("FFA-LoRA + EcoLoRA, Dolly", 4.2, 173.9, 1346.1),
    ];

    /// <summary>The row for people.</summary>
    public IReadOnlyList<string> Cells =>
    [
        Model, Method, Text(Rounds), Text(UpEntries / 1e6), Text((UpEntries + DownEntries) / 1e6), Text(UpEntries / 1e6 / Rounds), Text((UpEntries + DownEntries) / 1e6 / Rounds),
        UpBytes is { } up ? Quantity.Bytes(up) : "–", UpBytes + DownBytes is { } total ? Quantity.Bytes(total) : "–", Text(8.0 * UpBytes / UpEntries, "f2"), Note,
    ];

    /// <summary>The row for programs.</summary>
    public JsonObject ToJson() => new()
    {
        ["model"] = Model,
        ["method"] = Method,
        ["rounds"] = BenchRow.Rounded(Rounds),
        ["up_entries"] = UpEntries,
        ["down_entries"] = DownEntries,
        ["up_bytes"] = UpBytes,
        ["down_bytes"] = DownBytes,
        ["note"] = Note,
    };

    private static SizeRow Dense(string method, double parameters, double up, double total) =>
        new("llama-2-7b", "paper: " + method, up / (10 * parameters), up * 1e6, (total - up) * 1e6, null, null, "FP32 in the paper's times");

    private static SizeRow Eco(string method, double parameters, double up, double total, int adapters = 1)
    {
        double k = 2 - ((total - up) / (5 * adapters * up));
        return new("llama-2-7b", "paper: " + method, up / (10 * parameters / 5 * k), up * 1e6, (total - up) * 1e6, null, null,
            string.Create(CultureInfo.InvariantCulture, $"k = {k:f3}, a download keeps {1 - ((1 - k) * (1 - k)):f3}"));
    }

    private static string Text(double? value, string format = "f1") => value?.ToString(format, CultureInfo.InvariantCulture) ?? "–";
}
