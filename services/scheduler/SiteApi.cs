using System.Text.Json;
using System.Text.Json.Serialization;
using EcoLora.Federation;
using EcoLora.Hosting;
using EcoLora.Messaging;
using Microsoft.AspNetCore.Http.Features;

namespace EcoLora.Services.Scheduler;

/// <summary>A site as people see it.</summary>
/// <param name="Name">Its name.</param>
/// <param name="State">admitted, enrolled or revoked.</param>
/// <param name="Key">Short name of its key, or null.</param>
/// <param name="TokenExpires">When a token that was given out and not used counts no more, or null.</param>
public sealed record SiteStatus(string Name, string State, string? Key, DateTimeOffset? TokenExpires);

/// <summary>What a site's services need to enrol it. The token is told this once.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Hub">The hub's public key, for ECOLORA_HUB.</param>
/// <param name="Token">The one-time token, for ECOLORA_ENROLMENT.</param>
public sealed record SiteInvitation(string Name, string Hub, string Token);

/// <summary>Which sites may take part: for people, and for the sites and the aggregator.</summary>
/// <param name="registry">The sites.</param>
/// <param name="hub">The hub's key.</param>
/// <param name="store">The state store.</param>
/// <param name="refused">Counts enrolments that are refused.</param>
internal sealed class SiteApi(SiteRegistry registry, PublicKey hub, IStateStore store, Refusals refused)
{
    /// <summary>Largest enrolment: a name, a key, a token and a signature.</summary>
    private const int LargestEnrolment = 4096;

    /// <summary>Maps <c>/sites</c>, for people.</summary>
    public void MapPeople(IEndpointRouteBuilder endpoints)
    {
        RouteGroupBuilder sites = endpoints.MapGroup("/sites").WithTags("sites");
        sites.MapGet("", async (CancellationToken cancellation) => Results.Json(
                (IReadOnlyList<SiteStatus>)[.. (await registry.ListAsync(cancellation)).Select(StatusOf)], SiteJson.Default.IReadOnlyListSiteStatus))
            .WithName("sites").WithSummary("The sites that may take part.").Produces<IReadOnlyList<SiteStatus>>();
        sites.MapPost("/{name}", async (string name) =>
                !RunPlan.IsName(name) ? Answers.Bad($"site: expected {RunPlan.NameRule}, found '{name}'")
                : await registry.AdmitAsync(name, CancellationToken.None) is { } token ? Results.Json(new SiteInvitation(name, hub.Text, token), SiteJson.Default.SiteInvitation)
                : Answers.Conflict($"site {name}: expected at most {SiteRegistry.MostSites} sites"))
            .WithName("admit-site").WithSummary("Admit a site, or let one that is known enrol another key: a token that counts once, for a day.").Produces<SiteInvitation>().Produces<string>(400, "text/plain").Produces<string>(409, "text/plain");
        sites.MapPost("/{name}/revoke", async (string name) => await registry.RevokeAsync(name, CancellationToken.None)
                ? Results.Json(StatusOf((await registry.ListAsync(CancellationToken.None)).First(site => site.Name == name)), SiteJson.Default.SiteStatus)
                : Answers.Unknown($"site {name}: expected one that was admitted, found none"))
            .WithName("revoke-site").WithSummary("Revoke a site: nothing that its key signs is believed any more.").Produces<SiteStatus>().Produces<string>(404, "text/plain");
    }

    /// <summary>Maps what services ask: whoever reaches this through a sidecar may ask for the public keys, and enrol with a token.</summary>
    public void MapServices(IEndpointRouteBuilder endpoints)
    {
        endpoints.MapGet("/" + ServiceTrust.SiteKeysPath, async (CancellationToken cancellation) =>
            Results.Json(await SiteRegistry.KeysAsync(store, cancellation), TrustJson.Default.IReadOnlyListSiteKey));
        endpoints.MapPost("/" + ServiceTrust.EnrolmentPath, async (HttpRequest request) =>
        {
            if (request.HttpContext.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } limit) limit.MaxRequestBodySize = LargestEnrolment;
            try
            {
                if (await JsonSerializer.DeserializeAsync(request.Body, TrustJson.Default.SiteEnrolment, request.HttpContext.RequestAborted) is not { } enrolment) return Answers.Bad("enrolment: expected one, found null");
                if (await registry.EnrolAsync(enrolment, CancellationToken.None) is not { } refusal) return Results.NoContent();
                refused.Drop("enrolment of a site", refusal);
                return Results.Text(refusal, statusCode: StatusCodes.Status403Forbidden);
            }
            catch (JsonException malformed)
            {
                return Answers.Bad($"enrolment: {malformed.Message}");
            }
        });
    }

    private static SiteStatus StatusOf(KnownSite site) => new(
        site.Name, site.IsRevoked ? "revoked" : site.Key is null ? "admitted" : "enrolled", site.Key is { } key ? PublicKey.FromText(key).Id.ToString() : null, site.Expires);
}

/// <summary>The sites' JSON.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(IReadOnlyList<SiteStatus>))]
[JsonSerializable(typeof(SiteStatus))]
[JsonSerializable(typeof(SiteInvitation))]
internal sealed partial class SiteJson : JsonSerializerContext;
