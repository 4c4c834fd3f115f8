using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using EcoLora.DaprTestKit;
using EcoLora.Hosting;
using EcoLora.Messaging;
using EcoLora.TestKit;

namespace EcoLora.EndToEnd.Tests.Hub;

/// <summary>What carries the topics of a <see cref="HubCluster"/>.</summary>
public enum HubBroker
{
    /// <summary>Redis, by the sidecars.</summary>
    Redis,

    /// <summary>RabbitMQ, by the sidecars.</summary>
    RabbitMq,

    /// <summary>A mock of Kafka, by the sidecars.</summary>
    Kafka,

    /// <summary>The same, by the services themselves; those of the site <c>south</c> have no sidecar.</summary>
    KafkaItself,
}

/// <summary>
/// The whole system as processes: a broker, and beside each of the services its sidecar. Two sites: <c>north</c> with two trainers, <c>south</c> with one, so
/// that trainers share a codec.
/// </summary>
internal sealed class HubCluster : IAsyncDisposable
{
    private readonly TemporaryFolder _volumes = new();
    private readonly MockKafka? _kafka;
    private readonly bool _isDirect;
    private readonly SidecarResources _resources;
    private readonly Dictionary<string, HubApp> _apps = [];
    private readonly SigningKey _hub = SigningKey.Create();
    private readonly Dictionary<string, SigningKey> _sites = new() { ["north"] = SigningKey.Create(), ["south"] = SigningKey.Create() };

    private HubCluster(RedisServer redis, RabbitServer? rabbit, MockKafka? kafka, bool isDirect)
    {
        (Redis, Rabbit, _kafka, _isDirect) = (redis, rabbit, kafka, isDirect);
        _resources = ResourcesOf(rabbit is not null ? "rabbitmq" : kafka is not null && !isDirect ? "kafka" : "redis");
    }

    /// <summary>State, and the broker of a cluster over Redis.</summary>
    public RedisServer Redis { get; }

    /// <summary>The broker of a cluster over RabbitMQ.</summary>
    public RabbitServer? Rabbit { get; private set; }

    /// <summary>What tells <c>ecolora ledger reconcile</c> where the topics are.</summary>
    public string[] BrokerOption => _kafka is not null ? ["--kafka", _kafka.Endpoint] : Rabbit is not null ? ["--rabbitmq", $"http://guest@127.0.0.1:{Rabbit.ManagementPort}"] : ["--redis", Redis.Endpoint];

    /// <summary>The services.</summary>
    public IReadOnlyCollection<HubApp> Apps => _apps.Values;

    /// <summary>A service by its app id.</summary>
    public HubApp this[string appId] => _apps[appId];

    /// <summary>The sidecars' resources.</summary>
    public string Resources => _resources.Path;

    /// <summary>Starts everything, sidecars and services at once, and waits until every service is ready and subscribed.</summary>
    /// <param name="broker">What carries the topics.</param>
    /// <param name="sidecarFlags">Faults of every sidecar, given the number of its service.</param>
    /// <param name="settings">Environment variables of every service.</param>
    /// <param name="isManaged">Whether RabbitMQ's management plugin, which counts, is on.</param>
    /// <param name="later">App ids that are not started with the others.</param>
    public static async Task<HubCluster> StartAsync(
        HubBroker broker = HubBroker.Redis, Func<int, string[]>? sidecarFlags = null, (string Name, string Value)[]? settings = null, bool isManaged = false, params string[] later)
    {
        RabbitServer? rabbit = broker == HubBroker.RabbitMq ? await RabbitServer.StartAsync(isManaged) : null;
        bool isDirect = broker == HubBroker.KafkaItself;
        var cluster = new HubCluster(await RedisServer.StartAsync(), rabbit, isDirect || broker == HubBroker.Kafka ? MockKafka.Start(3) : null, isDirect);
        try
        {
            foreach ((string service, string appId, (string Name, string Value)[] own) in Services())
                cluster._apps.Add(appId, cluster.Make(service, appId, cluster._volumes[appId], [.. own, .. settings ?? []], sidecarFlags?.Invoke(cluster._apps.Count) ?? []));
            foreach (HubApp alone in cluster.Apps.Where(app => !app.HasSidecar))
                alone.Settings["ECOLORA_APPS"] = string.Join(';', new[] { "scheduler", "aggregator", "codec-south" }.Select(app => $"{app}=http://127.0.0.1:{cluster[app].Port}"));
            // The scheduler gives out what the sites enrol with.
            await cluster.StartAsync([cluster["scheduler"]]);
            foreach (string site in cluster._sites.Keys) await cluster.AdmitAsync(site);
            await cluster.StartAsync([.. cluster.Apps.Where(app => app.Sidecar.AppId != "scheduler" && !later.Contains(app.Sidecar.AppId))]);
            return cluster;
        }
        catch
        {
            await cluster.DisposeAsync();
            throw;
        }
    }

    /// <summary>The hub's public key.</summary>
    public PublicKey HubKey => _hub.Public;

    /// <summary>The key of a site.</summary>
    public SigningKey KeyOf(string site) => _sites[site];

    /// <summary>Lets a site take part: its services enrol it when they start next.</summary>
    public async Task AdmitAsync(string site)
    {
        using HttpResponseMessage response = await _apps["scheduler"].Client.PostAsync(new Uri($"/sites/{site}", UriKind.Relative), null);
        response.EnsureSuccessStatusCode();
        JsonElement invitation = await response.Content.ReadFromJsonAsync<JsonElement>();
        Assert.Equal(_hub.Public.Text, invitation.GetProperty("hub").GetString());
        foreach (HubApp app in Apps.Where(app => app.Settings.GetValueOrDefault("ECOLORA_SITE") == site)) app.Settings["ECOLORA_ENROLMENT"] = invitation.GetProperty("token").GetString()!;
    }

    /// <summary>Starts some of the services that were left out.</summary>
    public async Task StartLaterAsync(params string[] appIds) => await StartAsync([.. appIds.Select(id => _apps[id])]);

    /// <summary>A service that is not one of the cluster's, with a volume of that name; not started.</summary>
    public HubApp Another(string service, string appId, string volume, params (string Name, string Value)[] settings) =>
        Make(service, appId, _volumes[volume], settings, []);

    /// <summary>Stops everything, puts RabbitMQ's components in the place of Redis', and starts everything again: state and volumes are those of before.</summary>
    public async Task MoveToRabbitAsync()
    {
        Rabbit = await RabbitServer.StartAsync();
        Assert.All(await Task.WhenAll(Apps.Select(app => app.StopAsync())), code => Assert.Equal(0, code));
        await Task.WhenAll(Apps.Select(app => app.Sidecar.KillAsync()));
        using SidecarResources others = ResourcesOf("rabbitmq");
        foreach (string file in Directory.GetFiles(others.Path)) _resources.Add(Path.GetFileName(file), await File.ReadAllTextAsync(file));
        await StartAsync(Apps);
    }

    /// <summary>Waits until every service is ready and subscribed.</summary>
    public Task WaitUntilReadyAsync() => WaitUntilReadyAsync(Apps);

    /// <summary>Submits a run.</summary>
    public async Task<HttpStatusCode> SubmitAsync(RunFile file)
    {
        using HttpResponseMessage response = await _apps["scheduler"].Client.PostAsJsonAsync("/runs", AnnouncedOptions.Of(file));
        if (!response.IsSuccessStatusCode) throw new InvalidOperationException($"{(int)response.StatusCode}: {await response.Content.ReadAsStringAsync()}");
        return response.StatusCode;
    }

    /// <summary>The run's status, or null while the scheduler is away.</summary>
    public async Task<JsonElement?> StatusAsync(string run)
    {
        try
        {
            return await _apps["scheduler"].Client.GetFromJsonAsync<JsonElement>($"/runs/{run}");
        }
        catch (HttpRequestException)
        {
            return null;
        }
    }

    /// <summary>Waits until a run is finished; what every service wrote is in the message if it does not.</summary>
    public async Task WaitUntilFinishedAsync(string run, TimeSpan limit)
    {
        try
        {
            await Eventually.TrueAsync(async () => (await StatusAsync(run))?.GetProperty("state").GetString() == "finished", $"run {run} ends", limit);
        }
        catch (TimeoutException exception)
        {
            throw new TimeoutException($"{exception.Message}\n{await StatusAsync(run)}\n{string.Join("\n\n", Apps.Select(app => $"{app.Sidecar.AppId}\n{app.Output}"))}");
        }
    }

    /// <summary>The finished run's adapter, file by file.</summary>
    public SortedDictionary<string, string> Adapter(string run, string export = "adapter") => AdapterIn(Path.Combine(_volumes["aggregator"], run, export));

    /// <summary>The files of an adapter's folder, by name, with their digests.</summary>
    public static SortedDictionary<string, string> AdapterIn(string folder)
    {
        var files = new SortedDictionary<string, string>(StringComparer.Ordinal);
        foreach (string path in Directory.EnumerateFiles(folder))
            files.Add(Path.GetFileName(path), Convert.ToHexString(System.Security.Cryptography.SHA256.HashData(File.ReadAllBytes(path))));
        return files;
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await Task.WhenAll(Apps.Select(app => app.DisposeAsync().AsTask()));
        await Redis.DisposeAsync();
        if (Rabbit is not null) await Rabbit.DisposeAsync();
        _kafka?.Dispose();
        foreach (SigningKey key in _sites.Values.Append(_hub)) key.Dispose();
        _resources.Dispose();
        _volumes.Dispose();
    }

    private SidecarResources ResourcesOf(string broker)
    {
        var resources = SidecarResources.OfProduct(broker, Redis, Rabbit, _kafka, areTopicsScoped: true);
        // The product's policy with shorter pauses, since a test's round takes less than one of them.
        string policy = File.ReadAllText(Path.Combine(resources.Path, "resiliency.yaml"));
        return resources.Add("resiliency.yaml", policy.Replace("duration: 1s", "duration: 100ms", StringComparison.Ordinal).Replace("maxRetries: 90", "maxRetries: 900", StringComparison.Ordinal));
    }

    private async Task StartAsync(IReadOnlyCollection<HubApp> apps)
    {
        foreach (HubApp app in apps) app.StartService();
        await Task.WhenAll(apps.Where(app => app.HasSidecar).Select(app => app.Sidecar.StartAgainAsync()));
        await WaitUntilReadyAsync(apps);
    }

    private async Task WaitUntilReadyAsync(IReadOnlyCollection<HubApp> apps)
    {
        foreach (HubApp app in apps)
        {
            await app.WaitUntilReadyAsync();
            if (!_isDirect) await app.Sidecar.WaitUntilSubscribedAsync(TopicsOf(app.Sidecar.AppId));
        }
    }

    private static IEnumerable<(string Service, string AppId, (string Name, string Value)[] Settings)> Services()
    {
        string samples = Path.Combine(Repository.Root, "samples");
        (string, string)[] inputs = [("ECOLORA_MODELS", Path.Combine(samples, "base")), ("ECOLORA_DATA", Path.Combine(samples, "tasks.jsonl")), ("ECOLORA_THREADS", "1")];
        yield return ("Scheduler", "scheduler", [("ECOLORA_REMIND_SECONDS", "1"), ("ECOLORA_API_TOKEN", HubApp.PeopleToken)]);
        yield return ("Aggregator", "aggregator", []);
        yield return ("Codec", "codec-north", [("ECOLORA_SITE", "north")]);
        yield return ("Trainer", "trainer-north-0", [("ECOLORA_SITE", "north"), ("ECOLORA_CLIENTS", "0-1,3"), ("ECOLORA_PRESENCE_SECONDS", "60"), .. inputs]);
        yield return ("Trainer", "trainer-north-1", [("ECOLORA_SITE", "north"), ("ECOLORA_TRAINER", "1"), ("ECOLORA_CLIENTS", "2,4"), ("ECOLORA_PRESENCE_SECONDS", "60"), ("ECOLORA_EVALUATES", "no"), .. inputs]);
        yield return ("Codec", "codec-south", [("ECOLORA_SITE", "south")]);
        yield return ("Trainer", "trainer-south-0", [("ECOLORA_SITE", "south"), ("ECOLORA_CLIENTS", "5-7"), ("ECOLORA_PRESENCE_SECONDS", "3"), .. inputs]);
    }

    private static string[] TopicsOf(string appId) => appId switch
    {
        "scheduler" => ["reports"],
        "aggregator" => ["rounds", "segments"],
        _ when appId.StartsWith("codec", StringComparison.Ordinal) => ["rounds", "global"],
        _ => ["rounds"],
    };

    private HubApp Make(string service, string appId, string volume, (string Name, string Value)[] settings, string[] sidecarFlags)
    {
        Dictionary<string, string> all = settings.Append(("ECOLORA_VOLUME", volume)).ToDictionary(setting => setting.Item1, setting => setting.Item2);
        if (_isDirect) all["ECOLORA_KAFKA"] = _kafka!.Endpoint;
        if (_isDirect && all.GetValueOrDefault("ECOLORA_SITE") == "south") all["ECOLORA_SIDECAR"] = "none";
        all["ECOLORA_KEY"] = (all.TryGetValue("ECOLORA_SITE", out string? site) ? _sites[site] : _hub).ToPem();
        if (site is not null) all["ECOLORA_HUB"] = _hub.Public.Text;
        return new HubApp(service, appId, Resources, all, sidecarFlags);
    }
}
