using System.Text.Json;
using System.Text.Json.Serialization;
using EcoLora.Hosting;
using EcoLora.Messaging;

namespace EcoLora.Services.Scheduler;

/// <summary>What a service of the hub has not taken in, for one reason.</summary>
/// <param name="Service">Its app id.</param>
/// <param name="Reason">The reason.</param>
/// <param name="Count">How many messages since it was started.</param>
/// <param name="IsRefused">Whether they were refused; else they told nothing new, or came early or late.</param>
/// <param name="About">What the last of them was, and who said it.</param>
/// <param name="Last">When it came.</param>
public sealed record HubRefusal(string Service, string Reason, long Count, bool IsRefused, string About, DateTimeOffset Last);

/// <summary>What the hub has not taken in.</summary>
/// <param name="Refusals">By service and reason.</param>
/// <param name="Away">Services that did not answer: what they have refused is not in this.</param>
public sealed record HubRefusals(IReadOnlyList<HubRefusal> Refusals, IReadOnlyList<string> Away);

/// <summary>Tells people what the hub's services have refused, and why.</summary>
/// <param name="context">The scheduler's context.</param>
internal sealed class RefusalApi(ServiceContext context)
{
    /// <summary>How long the aggregator may take to answer.</summary>
    private static readonly TimeSpan _patience = TimeSpan.FromSeconds(2);

    /// <summary>Maps <c>/refusals</c>.</summary>
    public void Map(IEndpointRouteBuilder endpoints) => endpoints.MapGet("/refusals", async (CancellationToken cancellation) =>
        {
            IReadOnlyList<Refusal>? aggregator = await AskAggregatorAsync(cancellation);
            HubRefusal[] all = [.. Of(AppIds.Scheduler, context.Refused.All), .. Of(AppIds.Aggregator, aggregator ?? [])];
            return Results.Json(new HubRefusals(all, aggregator is null ? [AppIds.Aggregator] : []), RefusalJson.Default.HubRefusals);
        })
        .WithTags("sites").WithName("refusals").WithSummary("What scheduler and aggregator have refused since they were started, by reason.").Produces<HubRefusals>();

    private static IEnumerable<HubRefusal> Of(string service, IReadOnlyList<Refusal> refusals) =>
        refusals.Select(refusal => new HubRefusal(service, refusal.Reason, refusal.Count, refusal.IsRefused, refusal.About, refusal.Last));

    private async Task<IReadOnlyList<Refusal>?> AskAggregatorAsync(CancellationToken cancellation)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        patience.CancelAfter(_patience);
        try
        {
            using HttpResponseMessage response = await context.Invoker.InvokeAsync(HttpMethod.Get, AppIds.Aggregator, InvocationPaths.Refused, null, patience.Token);
            return await response.Content.ReadFromJsonAsync(ServiceJson.Default.IReadOnlyListRefusal, patience.Token);
        }
        catch (Exception away) when (away is IOException or JsonException || (away is OperationCanceledException && !cancellation.IsCancellationRequested))
        {
            return null;
        }
    }
}

/// <summary>The refusals' JSON.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(HubRefusals))]
internal sealed partial class RefusalJson : JsonSerializerContext;
