using System.Net;
using System.Net.Http.Json;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using EcoLora.Messaging;
using EcoLora.Messaging.Dapr;
using Microsoft.Extensions.Logging;

namespace EcoLora.Hosting;

/// <summary>
/// Whom a service speaks for and whom it believes, from its settings. ECOLORA_KEY is the private key of the hub or of the site, ECOLORA_HUB at a site the hub's public
/// key, ECOLORA_ENROLMENT the one-time token that enrols the site's. They are read from the environment, or from the Dapr secret store that ECOLORA_SECRET_STORE names.
/// </summary>
public sealed class ServiceTrust
{
    private const string KeyVariable = "ECOLORA_KEY", HubVariable = "ECOLORA_HUB", EnrolmentVariable = "ECOLORA_ENROLMENT", EnrolledRecord = "enrolled", SecretsVariable = "ECOLORA_SECRET_STORE";

    private static readonly TimeSpan _pause = TimeSpan.FromSeconds(1);

    private readonly ServiceVariables _variables;
    private readonly string? _secrets;

    private ServiceTrust(ServiceVariables variables, string? secrets) => (_variables, _secrets) = (variables, secrets);

    private static ReadOnlySpan<byte> Purpose => "ecolora enrolment 1\n"u8;

    /// <summary>Path at the scheduler where a site's service enrols it.</summary>
    public const string EnrolmentPath = "enrol";

    /// <summary>Path at the scheduler with the sites' keys.</summary>
    public const string SiteKeysPath = "site-keys";

    /// <summary>From ECOLORA_SIGNATURES and ECOLORA_SECRET_STORE; null where messages are not signed, and whoever reaches the broker can speak for everybody.</summary>
    /// <exception cref="SettingException">ECOLORA_SIGNATURES is neither required nor off.</exception>
    public static ServiceTrust? FromEnvironment(ServiceVariables variables)
    {
        bool isRequired = variables.Choice("ECOLORA_SIGNATURES", "required", "off") == "required";
        return isRequired ? new ServiceTrust(variables, variables.Text(SecretsVariable, "") is { Length: > 0 } store ? store : null) : null;
    }

    /// <summary>Reads the keys, and enrols a site that is not.</summary>
    /// <exception cref="SettingException">A key is missing or none, or the scheduler refuses the site.</exception>
    public async Task<BusTrust> OpenAsync(ServiceDefinition definition, IInvoker invoker, ISidecar? sidecar, IStateStore store, ILogger log, CancellationToken cancellation)
    {
        if (_secrets is not null && sidecar is null) throw new SettingException(SecretsVariable, "no secret store, since ECOLORA_SIDECAR is none", _secrets);
        string pem = await SecretAsync(KeyVariable) ?? throw new SettingException(KeyVariable, "a private key as PEM (ecolora key), since ECOLORA_SIGNATURES is required", "");
        SigningKey key = Read(KeyVariable, "a private key on P-256 as PEM of PKCS #8", pem, SigningKey.FromPem);
        if (definition.Site is not { } site) return new BusTrust(key, key.Public, Ring(key.Public, definition.ReadSiteKeys).FindAsync);

        string text = await SecretAsync(HubVariable) ?? throw new SettingException(HubVariable, "the hub's public key (ecolora admit), since ECOLORA_SIGNATURES is required", "");
        PublicKey hub = Read(HubVariable, "the hub's public key (ecolora admit)", text, PublicKey.FromText);
        await EnrolAsync(site, key, hub, await SecretAsync(EnrolmentVariable), invoker, store, log, cancellation);
        return new BusTrust(key, hub, Ring(hub, null).FindAsync);

        KeyRing Ring(PublicKey ofHub, Func<IInvoker, IStateStore, CancellationToken, Task<IReadOnlyList<SiteKey>>>? read) =>
            new(ofHub, read is null ? null : reading => read(invoker, store, reading), TimeProvider.System);

        async Task<string?> SecretAsync(string variable) =>
            _variables.Secret(variable) ?? (_secrets is null || sidecar is null ? null : await ReadSecretAsync(sidecar, _secrets, variable, log, cancellation));
    }

    /// <summary>The sites' keys, asked of the scheduler.</summary>
    public static async Task<IReadOnlyList<SiteKey>> AskForSiteKeysAsync(IInvoker invoker, IStateStore store, CancellationToken cancellation)
    {
        using HttpResponseMessage response = await invoker.InvokeAsync(HttpMethod.Get, AppIds.Scheduler, SiteKeysPath, null, cancellation);
        try
        {
            return await response.Content.ReadFromJsonAsync(TrustJson.Default.IReadOnlyListSiteKey, cancellation) ?? [];
        }
        catch (JsonException exception)
        {
            throw new IOException($"{AppIds.Scheduler}/{SiteKeysPath}: expected the sites' keys, found {exception.Message}", exception);
        }
    }

    /// <summary>What a site's key signs to show that the sender has it: SHA-256 over a purpose, the hub, and site, key and token, each ended by a zero byte.</summary>
    public static byte[] ProofOf(KeyId hub, string site, string key, string? token)
    {
        byte[] hubBytes = new byte[KeyId.Size];
        hub.Write(hubBytes);
        return SHA256.HashData([.. Purpose, .. hubBytes, .. Encoding.UTF8.GetBytes($"{site}\0{key}\0{token}\0")]);
    }

    /// <summary>Digest of a token, as it is stored.</summary>
    public static string DigestOf(string token) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(token)));

    private static async Task EnrolAsync(
        string site, SigningKey key, PublicKey hub, string? token, IInvoker invoker, IStateStore store, ILogger log, CancellationToken cancellation)
    {
        StateRecord<EnrolledSite> record = await StateRecord.ReadAsync(store, EnrolledRecord, TrustJson.Default.EnrolledSite, cancellation);
        var now = new EnrolledSite(key.Public.Id.ToString(), hub.Id.ToString(), token is null ? null : DigestOf(token));
        if (record.Value == now) return;
        log.Say($"site {site}: asking the scheduler to enrol key {now.Key}");
        byte[] body = JsonSerializer.SerializeToUtf8Bytes(
            new SiteEnrolment(site, key.Public.Text, token, Convert.ToBase64String(key.Sign(ProofOf(hub.Id, site, key.Public.Text, token)))), TrustJson.Default.SiteEnrolment);
        while (true)
        {
            try
            {
                using HttpResponseMessage response = await invoker.InvokeAsync(HttpMethod.Post, AppIds.Scheduler, EnrolmentPath, body, cancellation, HttpStatusCode.Forbidden, HttpStatusCode.BadRequest);
                if (!response.IsSuccessStatusCode) throw new SettingException(EnrolmentVariable, "a token that enrols this site", await response.Content.ReadAsStringAsync(cancellation));
                break;
            }
            catch (IOException away)
            {
                log.Warn($"site {site} is not enrolled yet: {away.Message}");
                await Task.Delay(_pause, cancellation);
            }
        }
        await record.WriteAsync(now, cancellation);
        log.Say($"site {site} is enrolled with key {key.Public.Id}");
    }

    /// <summary>A secret: in the store it goes by the variable's name with small letters and hyphens, since Kubernetes takes no other.</summary>
    private static Task<string?> ReadSecretAsync(ISidecar sidecar, string secrets, string variable, ILogger log, CancellationToken cancellation)
    {
        string name = variable.ToLowerInvariant().Replace('_', '-');
        return sidecar.ReadSecretAsync(secrets, name, found => log.Warn($"secret store {secrets}: no {name}: {found}"), cancellation);
    }

    private static T Read<T>(string variable, string expected, string text, Func<string, T> read)
    {
        try
        {
            return read(text);
        }
        catch (FormatException)
        {
            // A secret is not shown, not even a bad one.
            throw new SettingException(variable, expected, "others");
        }
    }
}
