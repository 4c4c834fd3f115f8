using System.Text.Json.Serialization;

namespace EcoLora.Hosting;

/// <summary>The key that a site has enrolled with.</summary>
/// <param name="Site">Name of the site.</param>
/// <param name="Key">Its public key, as <see cref="Messaging.PublicKey.Text"/>.</param>
/// <param name="IsRevoked">Whether it counts no more.</param>
public sealed record SiteKey(string Site, string Key, bool IsRevoked);

/// <summary>What a site's service sends to enrol the site.</summary>
/// <param name="Site">Name of the site.</param>
/// <param name="Key">Its public key.</param>
/// <param name="Token">The one-time token; null when the key should be known already.</param>
/// <param name="Proof">Signature that shows that the sender has the key: base64.</param>
public sealed record SiteEnrolment(string Site, string Key, string? Token, string Proof);

/// <summary>That a site is enrolled, as its service remembers it.</summary>
/// <param name="Key">Short name of the site's key.</param>
/// <param name="Hub">Short name of the hub's.</param>
/// <param name="Token">Digest of the token that was used.</param>
public sealed record EnrolledSite(string Key, string Hub, string? Token);

/// <summary>JSON of keys and enrolment.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, RespectNullableAnnotations = true, RespectRequiredConstructorParameters = true, MaxDepth = 8)]
[JsonSerializable(typeof(IReadOnlyList<SiteKey>))]
[JsonSerializable(typeof(SiteEnrolment))]
[JsonSerializable(typeof(EnrolledSite))]
public sealed partial class TrustJson : JsonSerializerContext;
