using System.Globalization;
using System.Text.Json;

namespace EcoLora.Telemetry;

/// <summary>What makes the run repeatable: options, model, decision log, digests. And the footer, the only place with times.</summary>
internal static class RunSection
{
    public static void AddTo(Markup html, RunReport report)
    {
        html.Add(
            $"<h2 id=\"run\">Run</h2>\n<p>The same options, data and decision log give the same adapter, ledger and report, byte for byte.</p>\n"
            + $"<div class=\"grid2\">\n");
        html.Add($"<figure class=\"panel\"><figcaption><b>Effective options</b></figcaption><dl>\n");
        AddOptions(html, "", report.Options);
        html.Add($"</dl></figure>\n<figure class=\"panel\"><figcaption><b>Identity</b></figcaption><dl>\n");
        ModelFacts model = report.Model;
        Add(html, "product version", report.ProductVersion);
        Add(html, "seed", report.Seed.ToString(CultureInfo.InvariantCulture));
        Add(html, "base model", model.Parameters is { } parameters ? $"{model.Name}, {Quantity.Count(parameters)} parameters" : model.Name);
        string shape = string.Create(CultureInfo.InvariantCulture, $"rank {model.Rank}, alpha {model.Alpha}");
        Add(html, "LoRA", $"{shape}, {Quantity.Count(model.LoraParameters)} parameters on {string.Join(", ", model.TargetModules)}");
        if (report.Decisions is { } decisions)
        {
            Add(html, "decision log", $"{decisions.Mode} mode, {Quantity.Count(decisions.Entries)} entries");
            if (decisions.Digest is { } digest) Add(html, "its SHA-256", digest, mono: true);
        }
        foreach (ArmReport arm in report.Arms)
            if (arm.AdapterDigest is { } digest)
                Add(html, $"adapter of {arm.Name}", digest, mono: true);
        html.Add($"</dl></figure>\n</div>\n");
        AddDecisions(html, report.Arms[0]);
    }

    public static void AddFooter(Markup html, RunReport report)
    {
        html.Add($"<footer><p>report.json holds everything on this page. 1 kB = 1000 bytes. Rounds count from 0.</p>\n");
        if (report.Timing is { } timing)
        {
            html.Add(
                $"<p>Started {timing.Started.UtcDateTime.ToString("yyyy-MM-dd HH:mm:ss", CultureInfo.InvariantCulture)} UTC, took "
                + $"{Quantity.Seconds(timing.Seconds)} on {timing.Threads} {(timing.Threads == 1 ? "thread" : "threads")}");
            if (timing.PeakMemoryBytes is { } peak) html.Add($", peak memory {Quantity.Bytes(peak)}");
            html.Add($".");
            foreach (ArmTiming timed in timing.Arms)
            {
                html.Add($" {timed.Arm}: {Quantity.Seconds(timed.Seconds)}");
                int trained = report.Arms.FirstOrDefault(arm => arm.Name == timed.Arm)?.Rounds.Sum(round => round.Participants.Count) ?? 0;
                if (trained > 0) html.Add($", {Quantity.Seconds(timed.Seconds / trained)} per participant and round");
                html.Add($".");
            }
            html.Add($"</p>\n");
        }
        html.Add($"</footer>\n");
    }

    private static void AddDecisions(Markup html, ArmReport arm)
    {
        html.Add(
            $"<details><summary>Decisions of {arm.Name}: who was sampled, what was accepted</summary>"
            + $"<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Decisions\"><table><thead><tr><th scope=\"col\">round</th>");
        html.Add(
            $"<th scope=\"col\" class=\"text\">sampled, in slot order</th><th scope=\"col\">accepted</th><th scope=\"col\">refused</th>"
            + $"<th scope=\"col\">absent</th></tr></thead><tbody>\n");
        foreach (RoundReport round in arm.Rounds)
        {
            html.Add($"<tr><td>{round.Round}</td><td class=\"text\">{string.Join(", ", round.Participants.Select(participant => participant.Client))}</td>");
            foreach (ParticipantStatus status in new[] { ParticipantStatus.Accepted, ParticipantStatus.Refused, ParticipantStatus.Absent })
                html.Add($"<td>{round.Participants.Count(participant => participant.Status == status)}</td>");
            html.Add($"</tr>\n");
        }
        html.Add($"</tbody></table></div></details>\n");
    }

    /// <summary>Nested options as dotted names; a list of plain values on one line.</summary>
    private static void AddOptions(Markup html, string name, JsonElement value)
    {
        switch (value.ValueKind)
        {
            case JsonValueKind.Object:
                foreach (JsonProperty member in value.EnumerateObject())
                    AddOptions(html, name.Length == 0 ? member.Name : name + "." + member.Name, member.Value);
                break;
            case JsonValueKind.Array when value.EnumerateArray().Any(item => item.ValueKind is JsonValueKind.Object or JsonValueKind.Array):
                int index = 0;
                foreach (JsonElement item in value.EnumerateArray()) AddOptions(html, string.Create(CultureInfo.InvariantCulture, $"{name}[{index++}]"), item);
                break;
            case JsonValueKind.Array:
                Add(html, name, string.Join(", ", value.EnumerateArray().Select(item => item.ToString())));
                break;
            default:
                Add(html, name, value.ValueKind is JsonValueKind.String ? value.ToString() : value.GetRawText());
                break;
        }
    }

    private static void Add(Markup html, string name, string value, bool mono = false) =>
        html.Add(
            $"<dt>{name}</dt><dd class=\"{(mono ? "mono" : "")}\">{value}</dd>\n");
}
