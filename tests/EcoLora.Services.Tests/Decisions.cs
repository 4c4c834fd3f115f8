using EcoLora.Federation;
using EcoLora.Messaging;
using EcoLora.TestKit;

namespace EcoLora.Services.Tests;

/// <summary>What a scheduler says, put on a bus by hand.</summary>
internal static class Decisions
{
    /// <summary>Delivers a decision, which must be taken.</summary>
    public static async Task DecideAsync(this HandBus bus, RoundMessage message, Signer? signer = null) =>
        Assert.Equal(Verdict.Success, await bus.DeliverAsync(Topics.Rounds, ProtocolJson.Write(message), signer));
}
