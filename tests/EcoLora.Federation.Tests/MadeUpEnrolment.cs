using System.Text.Json;
using EcoLora.Codec;

namespace EcoLora.Federation.Tests;

/// <summary>A run whose four clients are brought by trainers: client c has c + 1 samples.</summary>
internal static class MadeUpEnrolment
{
    public static LoraModule[] Modules => [new LoraModule("q", 4, 6, 2)];

    public static RunPlan Draft => new("run-1", 11, "fedit", 4, 2, 2, new ExchangeOptions { Segments = 2 }, [], []);

    public static RunAnnounced Announcement => new("run-1", JsonSerializer.SerializeToElement(new { name = "run-1" }));

    public static TrainerEnrolled Of(string site, int trainer, params int[] clients) =>
        new("run-1", site, trainer, [.. clients.Select(client => new EnrolledClient(client, client + 1, 2))], Modules, Evaluates: true);

    public static RosterState Roster(params TrainerEnrolled[] reports)
    {
        var roster = new RosterState(Draft, 4);
        foreach (TrainerEnrolled report in reports)
        {
            Assert.True(roster.IsNews(report), roster.Refusal(report));
            roster.Apply(report);
        }
        return roster;
    }
}
