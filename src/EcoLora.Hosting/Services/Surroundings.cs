using EcoLora.Messaging;
using EcoLora.Messaging.Dapr;
using EcoLora.Messaging.Kafka;
using Microsoft.Extensions.Logging;

namespace EcoLora.Hosting;

/// <summary>Where what is around a service is, from its settings: a sidecar that carries messages, keeps state and calls the others, or, without one, Kafka, the volume and addresses.</summary>
/// <param name="Sidecar">How the sidecar is spoken to.</param>
/// <param name="Dapr">The sidecar; null without one.</param>
/// <param name="Kafka">Kafka, where messages go there directly.</param>
/// <param name="Apps">Addresses of other apps, without a sidecar.</param>
internal sealed record SurroundingSettings(SidecarKind Sidecar, DaprOptions? Dapr, KafkaOptions? Kafka, IReadOnlyDictionary<string, AppAddress> Apps)
{
    private const string Addresses = "ECOLORA_APPS", Tokens = "ECOLORA_APP_TOKENS", OwnToken = "APP_API_TOKEN", AddressRule = "app=http://host:port;app=https://host/path, each app once";

    /// <summary>What callers must show.</summary>
    public AppToken Token { get; private init; } = new(null);

    /// <summary>Reads them.</summary>
    /// <exception cref="FormatException">One cannot be used.</exception>
    public static SurroundingSettings Read(ServiceVariables variables, string appId)
    {
        SidecarKind kind = SidecarKinds.Read(variables);
        KafkaOptions? kafka = KafkaSettings.Read(variables, appId);
        var token = new AppToken(variables.Secret(OwnToken));
        if (kind != SidecarKind.None) return new SurroundingSettings(kind, DaprOptions.FromEnvironment(variables.Secret, usesGrpc: kind == SidecarKind.Sdk), kafka, new Dictionary<string, AppAddress>()) { Token = token };
        if (kafka is null) throw new SettingException(KafkaSettings.Brokers, $"Kafka's brokers, since {SidecarKinds.Variable} is none", "");
        if (variables.BindsAny && token.Expected is null) throw new SettingException(OwnToken, $"a token that other services show, since {SidecarKinds.Variable} is none and ECOLORA_BIND any", "");
        return new SurroundingSettings(kind, null, kafka, ReadApps(variables, token)) { Token = token };
    }

    /// <summary>Reads <c>app=address;app=address</c>, and <c>app=token;app=token</c> for those whose token is not this service's own.</summary>
    private static Dictionary<string, AppAddress> ReadApps(ServiceVariables variables, AppToken own)
    {
        Dictionary<string, string> tokens = variables.Pairs(Tokens, "app=token;app=token, each app once", isSecret: true);
        var apps = new Dictionary<string, AppAddress>(StringComparer.Ordinal);
        foreach ((string app, string address) in variables.Pairs(Addresses, AddressRule, isSecret: false))
        {
            bool isAddress = Uri.TryCreate(address, UriKind.Absolute, out Uri? uri) && uri.Scheme is "http" or "https" && uri is { UserInfo.Length: 0, Query.Length: 0, Fragment.Length: 0 };
            if (!isAddress) throw new SettingException(Addresses, AddressRule, $"{app}={address}");
            apps.Add(app, new AppAddress(uri!, tokens.GetValueOrDefault(app) ?? own.Expected));
        }
        foreach (string app in tokens.Keys)
            if (!apps.ContainsKey(app)) throw new SettingException(Tokens, $"tokens of apps in {Addresses}", app);
        return apps;
    }
}

/// <summary>What is around a service while it runs.</summary>
/// <param name="Sidecar">Its sidecar; null without one.</param>
/// <param name="Invoker">Calls the other services.</param>
/// <param name="Store">Keeps its state.</param>
internal sealed record Surroundings(ISidecar? Sidecar, IInvoker Invoker, IStateStore Store) : IDisposable
{
    private const string StateFolder = "_state";

    /// <summary>How long a call that failed is tried again; as long as by a sidecar.</summary>
    private static readonly TimeSpan _patience = TimeSpan.FromMinutes(1);

    /// <summary>Waits until they are there.</summary>
    public static async Task<Surroundings> OpenAsync(SurroundingSettings settings, DurableFolder volume, ILogger log, CancellationToken stopping)
    {
        if (settings.Dapr is not { } dapr)
        {
            log.Say($"no sidecar: messages by Kafka, state on the volume, {settings.Apps.Count} apps at their addresses");
            return new Surroundings(null, new DirectInvoker(settings.Apps, _patience), new FolderStateStore(volume.Folder(StateFolder)));
        }
        ISidecar sidecar = SidecarKinds.Open(settings.Sidecar, dapr);
        try
        {
            log.Say($"waiting for the sidecar at {dapr.Endpoint}");
            await sidecar.WaitUntilReadyAsync(stopping);
            return new Surroundings(sidecar, sidecar, new DaprStateStore(sidecar));
        }
        catch
        {
            sidecar.Dispose();
            throw;
        }
    }

    /// <summary>Whether they answer now. Kafka is not asked: a client of it goes on by itself.</summary>
    public Task<bool> IsReadyAsync(CancellationToken cancellation) => Sidecar?.IsReadyAsync(cancellation) ?? Task.FromResult(true);

    /// <inheritdoc/>
    public void Dispose() => (Invoker as IDisposable)?.Dispose();
}
