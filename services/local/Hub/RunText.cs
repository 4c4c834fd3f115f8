using System.Globalization;
using System.Text.Json;
using EcoLora.Telemetry;

namespace EcoLora.Local.Hub;

/// <summary>A run's status as people read it.</summary>
internal static class RunText
{
    /// <summary>Where a run is, in one line.</summary>
    public static string Of(JsonElement status)
    {
        string name = Text(status, "name"), state = Text(status, "state");
        string refused = status.TryGetProperty("refusal", out JsonElement refusal) ? $"; refused {refusal.GetString()}" : "";
        if (Names(status, "declined", "; ") is { Length: > 0 } declined) refused += $"; no part: {declined}";
        if (state == "cancelled") refused += $"; go on: ecolora resume {name}";
        if (!status.TryGetProperty("rounds", out JsonElement rounds))
            return $"{name}: {state}: {Count(status, "trainers")} trainers, {Count(status, "missing")} clients without one{refused}";
        string line = $"{name}: {state}: round {status.GetProperty("published")}/{rounds}";
        if (HeldOut(status) is { } heldOut) line += $", held-out loss {heldOut}";
        return (status.TryGetProperty("adapter", out JsonElement adapter) ? $"{line}, adapter {adapter.GetString()}" : line) + refused;
    }

    /// <summary>Runs in a table.</summary>
    public static ResultTable Table(IEnumerable<JsonElement> runs) =>
        new("", ["run", "state", "round", "training loss", "held-out loss", "up", "down", "saved"], [.. runs.Select(run => (IReadOnlyList<string>)
        [
            Text(run, "name"), Text(run, "state"), run.TryGetProperty("rounds", out JsonElement rounds) ? $"{run.GetProperty("published")}/{rounds}" : "–",
            Traffic(run, "loss") is { } loss ? Quantity.Loss(loss.GetDouble()) : "–", HeldOut(run) ?? "–", Bytes(run, "upBytes"), Bytes(run, "downBytes"), Saved(run),
        ])]);

    /// <summary>A run with all that is known of it, a line each.</summary>
    public static ResultTable Details(JsonElement status)
    {
        var rows = new List<IReadOnlyList<string>>();
        void Add(string name, string? value)
        {
            if (value is { Length: > 0 }) rows.Add([name, value]);
        }

        Add("state", Text(status, "state"));
        Add("rounds", status.TryGetProperty("rounds", out JsonElement rounds) ? $"{status.GetProperty("published")} of {rounds} published" : null);
        Add("training loss", Traffic(status, "loss") is { } loss ? Quantity.Loss(loss.GetDouble()) : null);
        Add("held-out loss", HeldOut(status));
        if (Traffic(status, "upBytes") is not null) Add("bytes", $"{Bytes(status, "upBytes")} up, {Bytes(status, "downBytes")} down, {Saved(status)} less than dense FP16");
        if (Traffic(status, "coverage") is { } coverage) Add("coverage", $"{string.Join(" ", coverage.EnumerateArray())} (deliveries of each segment)");
        if (Traffic(status, "sites") is { } sites) Add("sites", string.Join(", ", sites.EnumerateObject().Select(site => $"{site.Name} at version {site.Value}")));
        Add("trainers", Names(status, "trainers"));
        Add("present", Names(status, "present"));
        Add("clients missing", Names(status, "missing"));
        Add("waits for", status.TryGetProperty("awaits", out JsonElement awaits) ? Awaits(awaits) : null);
        Add("no part", Names(status, "declined", "; "));
        Add("refused", status.TryGetProperty("refusal", out JsonElement refusal) ? refusal.GetString() : null);
        Add("adapter", status.TryGetProperty("adapter", out JsonElement adapter) ? adapter.GetString() : null);
        return new ResultTable("", [Text(status, "name"), ""], rows);
    }

    private static string Awaits(JsonElement awaits)
    {
        var all = new List<string>();
        if (Names(awaits, "clients") is { Length: > 0 } clients) all.Add($"clients {clients} of round {awaits.GetProperty("round")}");
        if (awaits.GetProperty("change").GetBoolean()) all.Add("the round's change");
        if (Count(awaits, "sites") > 0) all.Add($"{Count(awaits, "sites")} sites");
        if (awaits.TryGetProperty("evaluation", out JsonElement version)) all.Add($"the evaluation of version {version}");
        return string.Join("; ", all);
    }

    private static string? HeldOut(JsonElement status) => status.TryGetProperty("evaluation", out JsonElement evaluation)
        ? string.Create(CultureInfo.InvariantCulture, $"{Quantity.Loss(evaluation.GetProperty("score").GetProperty("loss").GetDouble())} at version {evaluation.GetProperty("version")}")
        : null;

    private static string Saved(JsonElement status)
    {
        if (Traffic(status, "denseFp16Bytes")?.GetInt64() is not (> 0 and var dense)) return "–";
        return Quantity.Percent(1 - (double)(Traffic(status, "upBytes")!.Value.GetInt64() + Traffic(status, "downBytes")!.Value.GetInt64()) / dense);
    }

    private static string Bytes(JsonElement status, string name) => Traffic(status, name) is { } bytes ? Quantity.Bytes(bytes.GetInt64()) : "–";

    private static JsonElement? Traffic(JsonElement status, string name) =>
        status.TryGetProperty("traffic", out JsonElement traffic) && traffic.TryGetProperty(name, out JsonElement value) ? value : null;

    private static string Names(JsonElement status, string name, string between = ", ") => status.TryGetProperty(name, out JsonElement names) ? string.Join(between, names.EnumerateArray()) : "";

    private static int Count(JsonElement status, string name) => status.TryGetProperty(name, out JsonElement items) ? items.GetArrayLength() : 0;

    private static string Text(JsonElement status, string name) => status.GetProperty(name).GetString()!;
}
