using EcoLora.Codec;
using EcoLora.Federation;
using EcoLora.Messaging;

namespace EcoLora.Hosting;

/// <summary>
/// Who may say what: the scheduler's words and the published changes are the hub's, an update and what is said about a client or a site are that site's. Null
/// when it may be said, else the reason for the count of refusals. On a bus without signatures nobody is known and everything may be said.
/// </summary>
public static class Authorship
{
    /// <summary>Of a round message or a global change.</summary>
    public static string? RefusalOfHubMessage(Signer? signer) => signer is { Site: not null } ? "not the hub's" : null;

    /// <summary>Of a participant's frame. A client that the plan does not have may be one that it is about to get: then nothing is said here.</summary>
    public static string? RefusalOf(FrameHeader header, RunPlan plan, Signer? signer)
    {
        if (signer is null) return null;
        if (signer.Site is null) return "not a site's";
        return plan.FindEnrolment(header.Client) is not { } client || IsSite(plan, client.Site, signer) ? null : "another site's client";
    }

    /// <summary>Of a report.</summary>
    /// <param name="report">The report.</param>
    /// <param name="plan">The run's plan, or null while its trainers enrol.</param>
    /// <param name="signer">Who says it.</param>
    public static string? RefusalOf(ReportMessage report, RunPlan? plan, Signer? signer)
    {
        if (signer is null) return null;
        return report switch
        {
            SegmentReceived or RoundAggregated or AdapterWritten => signer.Site is null ? null : "not the hub's",
            TrainerEnrolled said => signer.Site == said.Site ? null : "another site",
            TrainerDeclined said => signer.Site == said.Site ? null : "another site",
            TrainerPresent said => signer.Site == said.Site ? null : "another site",
            ClientReport said => OfClient(said.Client, said.Site),
            ClientMissed said => OfClient(said.Client, said.Site),
            SiteUpdated said => IsSite(plan, said.Site, signer) ? null : "another site",
            Evaluated said => IsSite(plan, said.Site, signer) ? null : "another site",
            _ => "unknown report",
        };

        string? OfClient(int client, int site) => IsSite(plan, site, signer) && plan!.FindEnrolment(client)?.Site == site ? null : "another site's client";
    }

    private static bool IsSite(RunPlan? plan, int number, Signer signer) =>
        plan?.Places is { } places && number >= 0 && number < places.Count && places[number].Name == signer.Site;
}
