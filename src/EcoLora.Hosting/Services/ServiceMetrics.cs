using System.Diagnostics.Metrics;
using EcoLora.Messaging;

namespace EcoLora.Hosting;

/// <summary>What every service measures besides its own work.</summary>
internal static class ServiceMetrics
{
    private const string Reason = "ecolora.reason";

    /// <summary>Observes what a process does not take in, and what waits for the rest of its message.</summary>
    public static void Observe(Meter meter, Refusals refused, PartStore parts)
    {
        meter.CreateObservableCounter("ecolora.messages.refused", () => Of(refused, isRefused: true), "{message}", "Messages that were refused, by reason.");
        meter.CreateObservableCounter("ecolora.messages.unheeded", () => Of(refused, isRefused: false), "{message}", "Messages that told nothing new, or came early or late, by reason.");
        meter.CreateObservableGauge("ecolora.parts.size", () => parts.Bytes, "By", "Parts of messages that are not complete.");
    }

    private static IEnumerable<Measurement<long>> Of(Refusals refused, bool isRefused) =>
        refused.All.Where(refusal => refusal.IsRefused == isRefused).Select(refusal => new Measurement<long>(refusal.Count, new KeyValuePair<string, object?>(Reason, refusal.Reason)));
}
