using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using EcoLora.Federation;
using EcoLora.Messaging;

namespace EcoLora.Local.Hub;

/// <summary><c>ecolora key</c>, <c>sites</c>, <c>admit</c>, <c>revoke</c> and <c>refusals</c>: who may take part, and what was refused.</summary>
internal static class SiteCommands
{
    public static IEnumerable<Command> Create() =>
    [
        Key(),
        SchedulerCommand.Create("sites", "The sites that may take part in runs of the services.", "", "the sites", null, (scheduler, _, cancellation) => scheduler.SitesAsync(cancellation),
            sites => SchedulerCommand.ShowList(sites, Table, "no sites yet; let one take part: ecolora admit SITE"), "ecolora sites"),
        SchedulerCommand.Create("admit", "Let a site take part: prints what its services need to enrol its key.",
            "The token counts once, for a day. For a site that is known it lets another key take the place of the one before.\n", "the invitation", Site(),
            (scheduler, site, cancellation) => scheduler.AdmitAsync(site, cancellation),
            invitation => Console.Out.WriteLine($"ECOLORA_HUB={Text(invitation, "hub")}\nECOLORA_ENROLMENT={Text(invitation, "token")}"), "ecolora admit clinic-north"),
        SchedulerCommand.Create("revoke", "End a site's part: nothing that its key signs is believed any more.", "", "the site", Site(),
            (scheduler, site, cancellation) => scheduler.RevokeAsync(site, cancellation), site => Table([site]).Print(), "ecolora revoke clinic-north"),
        SchedulerCommand.Create("refusals", "What scheduler and aggregator have refused, and why.",
            "Messages since they were started, by reason, with the last of each. What told nothing new (no news, repeated), or came early or late, is counted too; that is usual.\n", "the refusals", null,
            (scheduler, _, cancellation) => scheduler.RefusalsAsync(cancellation), ShowRefusals, "ecolora refusals"),
    ];

    private static DocumentedCommand Key()
    {
        var command = new DocumentedCommand("key", "Make a key for the hub or for a site, as PEM on standard output.",
            "Put it where secrets are: the services of its owner read it from ECOLORA_KEY, or from a Dapr secret store as ecolora-key.\nIt is written nowhere else.", "ecolora key > hub.pem");
        command.SetAction(_ =>
        {
            using var key = SigningKey.Create();
            Console.Out.WriteLine(key.ToPem());
            return ExitCodes.Success;
        });
        return command;
    }

    private static Argument<string> Site() => new("site") { Description = $"Name of the site: {RunPlan.NameRule}.", HelpName = "SITE" };

    private static ResultTable Table(IEnumerable<JsonElement> sites) => new("", ["site", "state", "key", "token until"], [.. sites.Select(site => (IReadOnlyList<string>)
    [
        Text(site, "name") ?? "", Text(site, "state") ?? "", Text(site, "key") ?? "–", Text(site, "tokenExpires") ?? "–",
    ])]);

    private static void ShowRefusals(JsonElement answer)
    {
        foreach (JsonElement service in answer.GetProperty("away").EnumerateArray()) Console.Error.WriteLine($"{service.GetString()}: away, so what it has refused is not in this");
        JsonElement refusals = answer.GetProperty("refusals");
        if (refusals.GetArrayLength() == 0) Console.Out.WriteLine("nothing so far");
        foreach (JsonElement refusal in refusals.EnumerateArray())
        {
            string what = refusal.GetProperty("isRefused").GetBoolean() ? " refused" : "", last = refusal.GetProperty("last").GetDateTimeOffset().ToString("u", CultureInfo.InvariantCulture);
            Console.Out.WriteLine($"{Text(refusal, "service")}: {refusal.GetProperty("count").GetInt64()}{what}: {Text(refusal, "reason")}; last {last}: {Text(refusal, "about")}");
        }
    }

    private static string? Text(JsonElement site, string name) => site.TryGetProperty(name, out JsonElement value) ? value.GetString() : null;
}
