using System.CommandLine;
using System.Text.Json;
using EcoLora.Federation;
using EcoLora.Messaging;

namespace EcoLora.Local.Hub;

/// <summary><c>ecolora key</c>, <c>sites</c>, <c>admit</c> and <c>revoke</c>: who may take part.</summary>
internal static class SiteCommands
{
    public static IEnumerable<Command> Create() => [Key(), Sites(), Admit(), Revoke()];

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

    private static DocumentedCommand Sites()
    {
        Option<string> address = SchedulerClient.Address();
        Option<bool> json = Arguments.Json("the sites");
        var command = new DocumentedCommand("sites", "The sites that may take part in runs of the services.", SchedulerClient.TokenDetails, "ecolora sites") { address, json };
        command.SetAction(async (parsed, cancellation) =>
        {
            using var scheduler = SchedulerClient.Open(parsed.GetRequiredValue(address));
            JsonElement sites = await scheduler.SitesAsync(cancellation);
            if (parsed.GetValue(json)) Console.Out.WriteLine(sites.GetRawText());
            else if (sites.GetArrayLength() == 0) Console.Out.WriteLine("no sites yet; let one take part: ecolora admit SITE");
            else Table(sites.EnumerateArray()).Print();
            return ExitCodes.Success;
        });
        return command;
    }

    private static DocumentedCommand Admit()
    {
        Option<string> address = SchedulerClient.Address();
        Argument<string> site = Site();
        Option<bool> json = Arguments.Json("the invitation");
        var command = new DocumentedCommand("admit", "Let a site take part: prints what its services need to enrol its key.",
            "The token counts once, for a day. For a site that is known it lets another key take the place of the one before.\n" + SchedulerClient.TokenDetails, "ecolora admit clinic-north") { site, address, json };
        command.SetAction(async (parsed, cancellation) =>
        {
            using var scheduler = SchedulerClient.Open(parsed.GetRequiredValue(address));
            JsonElement invitation = await scheduler.AdmitAsync(parsed.GetRequiredValue(site), cancellation);
            if (parsed.GetValue(json)) Console.Out.WriteLine(invitation.GetRawText());
            else Console.Out.WriteLine($"ECOLORA_HUB={invitation.GetProperty("hub").GetString()}\nECOLORA_ENROLMENT={invitation.GetProperty("token").GetString()}");
            return ExitCodes.Success;
        });
        return command;
    }

    private static DocumentedCommand Revoke()
    {
        Option<string> address = SchedulerClient.Address();
        Argument<string> site = Site();
        Option<bool> json = Arguments.Json("the site");
        var command = new DocumentedCommand("revoke", "End a site's part: nothing that its key signs is believed any more.", SchedulerClient.TokenDetails, "ecolora revoke clinic-north") { site, address, json };
        command.SetAction(async (parsed, cancellation) =>
        {
            using var scheduler = SchedulerClient.Open(parsed.GetRequiredValue(address));
            JsonElement revoked = await scheduler.RevokeAsync(parsed.GetRequiredValue(site), cancellation);
            if (parsed.GetValue(json)) Console.Out.WriteLine(revoked.GetRawText());
            else Table([revoked]).Print();
            return ExitCodes.Success;
        });
        return command;
    }

    private static Argument<string> Site() => new("site") { Description = $"Name of the site: {RunPlan.NameRule}.", HelpName = "SITE" };

    private static ResultTable Table(IEnumerable<JsonElement> sites) => new("", ["site", "state", "key", "token until"], [.. sites.Select(site => (IReadOnlyList<string>)
    [
        Text(site, "name") ?? "", Text(site, "state") ?? "", Text(site, "key") ?? "–", Text(site, "tokenExpires") ?? "–",
    ])]);

    private static string? Text(JsonElement site, string name) => site.TryGetProperty(name, out JsonElement value) ? value.GetString() : null;
}
