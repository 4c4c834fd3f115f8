using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text.Json.Serialization;
using EcoLora.Federation;
using EcoLora.Hosting;
using EcoLora.Messaging;

namespace EcoLora.Services.Scheduler;

/// <summary>A site that may take part, as the operator has admitted it.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Key">Its public key, once it has enrolled.</param>
/// <param name="IsRevoked">Whether the key counts no more.</param>
/// <param name="Token">Digest of the one-time token that has not been used.</param>
/// <param name="Expires">When that token counts no more.</param>
internal sealed record KnownSite(string Name, string? Key, bool IsRevoked, string? Token, DateTimeOffset? Expires);

/// <summary>All of them.</summary>
internal sealed record KnownSites(IReadOnlyList<KnownSite> Sites);

/// <summary>
/// Which sites may take part, and with which keys: one record in the state store. A token enrols one key once; until it is used, the key that was enrolled before
/// stays, so that a site can change its key without a break. Of a token only its digest is kept.
/// </summary>
/// <param name="store">The state store.</param>
/// <param name="hub">The hub's key, which every proof names.</param>
/// <param name="clock">The time, for tokens.</param>
internal sealed class SiteRegistry(IStateStore store, KeyId hub, TimeProvider clock)
{
    /// <summary>How long a token counts.</summary>
    public static readonly TimeSpan TokenAge = TimeSpan.FromHours(24);

    /// <summary>Most sites, so that the record stays small.</summary>
    public const int MostSites = 1000;

    private const string Record = "sites";

    /// <summary>The sites, by name.</summary>
    public async Task<IReadOnlyList<KnownSite>> ListAsync(CancellationToken cancellation) => (await ReadAsync(store, cancellation)).Value?.Sites ?? [];

    /// <summary>The keys of those that have enrolled.</summary>
    public static async Task<IReadOnlyList<SiteKey>> KeysAsync(IStateStore store, CancellationToken cancellation) =>
        [.. ((await ReadAsync(store, cancellation)).Value?.Sites ?? []).Where(site => site.Key is not null).Select(site => new SiteKey(site.Name, site.Key!, site.IsRevoked))];

    /// <summary>Admits a site, or gives out another token for one that is known; a token that was given out before counts no more.</summary>
    /// <returns>The token, or null when there is no room for another site.</returns>
    public async Task<string?> AdmitAsync(string name, CancellationToken cancellation)
    {
        string token = Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(32));
        return await ChangeAsync(sites =>
        {
            KnownSite site = (sites.FirstOrDefault(known => known.Name == name) ?? new KnownSite(name, null, false, null, null)) with
            {
                Token = ServiceTrust.DigestOf(token),
                Expires = clock.GetUtcNow() + TokenAge,
            };
            return With(sites, site) is { Length: <= MostSites } all ? (all, token) : (null, null);
        }, cancellation);
    }

    /// <summary>Revokes a site: its key and its token count no more.</summary>
    /// <returns>False when there is no such site.</returns>
    public async Task<bool> RevokeAsync(string name, CancellationToken cancellation) => await ChangeAsync(
        sites => sites.FirstOrDefault(known => known.Name == name) is { } site ? (With(sites, site with { IsRevoked = true, Token = null, Expires = null }), true) : (null, false), cancellation);

    /// <summary>Enrols a site's key. The same key again changes nothing and needs no token.</summary>
    /// <returns>Null, or why not.</returns>
    public async Task<string?> EnrolAsync(SiteEnrolment enrolment, CancellationToken cancellation)
    {
        if (!RunPlan.IsName(enrolment.Site)) return $"site: expected {RunPlan.NameRule}, found another";
        PublicKey key;
        byte[] proof = new byte[64];
        try
        {
            key = PublicKey.FromText(enrolment.Key);
        }
        catch (FormatException)
        {
            return "key: expected a public key on P-256 as base64 of its SubjectPublicKeyInfo, found another text";
        }
        bool isProof = Convert.TryFromBase64String(enrolment.Proof, proof, out int length) && length == proof.Length
            && key.Verify(ServiceTrust.ProofOf(hub, enrolment.Site, enrolment.Key, enrolment.Token), proof);
        if (!isProof) return "proof: expected a signature by the key, for this hub, found another";
        return await ChangeAsync<string?>(sites =>
        {
            if (sites.FirstOrDefault(known => known.Name == enrolment.Site) is not { } site) return (null, $"site {enrolment.Site}: expected one that was admitted (ecolora admit), found none");
            if (site.Key == key.Text && !site.IsRevoked) return (null, null);
            if (enrolment.Token is null) return (null, $"site {enrolment.Site}: expected a token, since this key is {(site.Key == key.Text ? "revoked" : "not known")}, found none");
            bool isToken = site.Token is { } digest && CryptographicOperations.FixedTimeEquals(Convert.FromHexString(digest), Convert.FromHexString(ServiceTrust.DigestOf(enrolment.Token)));
            if (!isToken) return (null, $"site {enrolment.Site}: expected the token that was given out last and was not used, found another");
            if (site.Expires < clock.GetUtcNow()) return (null, $"site {enrolment.Site}: expected a token of the last {TokenAge.TotalHours} hours, found an older one");
            if (sites.Any(other => other.Name != site.Name && other.Key == key.Text)) return (null, $"site {enrolment.Site}: expected a key of its own, found another site's");
            return (With(sites, site with { Key = key.Text, IsRevoked = false, Token = null, Expires = null }), null);
        }, cancellation);
    }

    /// <summary>Changes the record, again when another scheduler was there first.</summary>
    private async Task<T> ChangeAsync<T>(Func<IReadOnlyList<KnownSite>, (IReadOnlyList<KnownSite>? Sites, T Answer)> change, CancellationToken cancellation)
    {
        while (true)
        {
            StateRecord<KnownSites> record = await ReadAsync(store, cancellation);
            (IReadOnlyList<KnownSite>? sites, T answer) = change(record.Value?.Sites ?? []);
            try
            {
                if (sites is not null) await record.WriteAsync(new KnownSites(sites), cancellation);
                return answer;
            }
            catch (StateConflictException)
            {
                // Another scheduler has changed it meanwhile.
            }
        }
    }

    private static KnownSite[] With(IReadOnlyList<KnownSite> sites, KnownSite site) =>
        [.. sites.Where(known => known.Name != site.Name).Append(site).OrderBy(known => known.Name, StringComparer.Ordinal)];

    private static Task<StateRecord<KnownSites>> ReadAsync(IStateStore store, CancellationToken cancellation) =>
        StateRecord.ReadAsync(store, Record, RegistryJson.Default.KnownSites, cancellation);
}

/// <summary>The registry's JSON.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(KnownSites))]
internal sealed partial class RegistryJson : JsonSerializerContext;
