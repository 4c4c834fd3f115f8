using System.CommandLine;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Net.ServerSentEvents;
using System.Runtime.CompilerServices;
using System.Text.Json;
using EcoLora.Federation;
using EcoLora.Hosting;

namespace EcoLora.Local.Hub;

/// <summary>The scheduler's API, asked by the command line.</summary>
internal sealed class SchedulerClient : IDisposable
{
    /// <summary>Said in the details of every command that asks the scheduler.</summary>
    public const string TokenDetails = $"The token that a scheduler asks for is read from {ApiAccess.Variable}, its address, unless --scheduler gives it, from {AddressVariable}.";

    private const string AddressVariable = "ECOLORA_SCHEDULER";

    private readonly HttpClient _http;

    private SchedulerClient(Uri address)
    {
        // A watched run may be silent for long; whoever waits is told so every 15 seconds.
        _http = new HttpClient { BaseAddress = address, Timeout = TimeSpan.FromMinutes(5) };
        if (Environment.GetEnvironmentVariable(ApiAccess.Variable) is { Length: > 0 } token) _http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", token);
    }

    /// <summary>The option that says where the scheduler is.</summary>
    public static Option<string> Address() => new("--scheduler") { Description = "The scheduler.", HelpName = "URL", DefaultValueFactory = _ => Environment.GetEnvironmentVariable(AddressVariable) is { Length: > 0 } given ? given : "http://127.0.0.1:5100" };

    /// <summary>The argument that names a run.</summary>
    public static Argument<string> Run() => new("run") { Description = "Name of a submitted run: ecolora list.", HelpName = "NAME" };

    /// <summary>Opens it.</summary>
    /// <exception cref="ArgumentException">The text is no address.</exception>
    public static SchedulerClient Open(string address) =>
        Uri.TryCreate(address.TrimEnd('/') + "/", UriKind.Absolute, out Uri? uri) && uri.Scheme is "http" or "https"
            ? new SchedulerClient(uri)
            : throw new ArgumentException($"--scheduler: expected an http or https address, found '{address}'");

    /// <summary>Submits a run's options.</summary>
    /// <returns>Its status.</returns>
    public Task<JsonElement> SubmitAsync(JsonElement options, CancellationToken cancellation) => JsonAsync(() => _http.PostAsJsonAsync("runs", options, cancellation), cancellation);

    /// <summary>All runs.</summary>
    public Task<JsonElement> ListAsync(CancellationToken cancellation) => JsonAsync(() => _http.GetAsync(Path("runs"), cancellation), cancellation);

    /// <summary>A run's status.</summary>
    public Task<JsonElement> ShowAsync(string run, CancellationToken cancellation) => JsonAsync(() => _http.GetAsync(Of(run), cancellation), cancellation);

    /// <summary>Cancels a run or resumes it.</summary>
    /// <returns>Its status.</returns>
    public Task<JsonElement> HoldAsync(string run, bool isHeld, CancellationToken cancellation) =>
        JsonAsync(() => _http.PostAsync(Of(run, isHeld ? "/cancel" : "/resume"), null, cancellation), cancellation);

    /// <summary>The sites that may take part.</summary>
    public Task<JsonElement> SitesAsync(CancellationToken cancellation) => JsonAsync(() => _http.GetAsync(Path("sites"), cancellation), cancellation);

    /// <summary>Lets a site take part.</summary>
    /// <returns>What its services need.</returns>
    public Task<JsonElement> AdmitAsync(string site, CancellationToken cancellation) => JsonAsync(() => _http.PostAsync(OfSite(site), null, cancellation), cancellation);

    /// <summary>Ends a site's part.</summary>
    /// <returns>The site.</returns>
    public Task<JsonElement> RevokeAsync(string site, CancellationToken cancellation) => JsonAsync(() => _http.PostAsync(OfSite(site, "/revoke"), null, cancellation), cancellation);

    /// <summary>What the hub has refused.</summary>
    public Task<JsonElement> RefusalsAsync(CancellationToken cancellation) => JsonAsync(() => _http.GetAsync(Path("refusals"), cancellation), cancellation);

    /// <summary>A run's status now and after every change, until it is over or cancelled. A connection that breaks is made again.</summary>
    public async IAsyncEnumerable<JsonElement> WatchAsync(string run, [EnumeratorCancellation] CancellationToken cancellation)
    {
        while (true)
        {
            using HttpResponseMessage response = await AskAsync(() => _http.GetAsync(Of(run, "/events"), HttpCompletionOption.ResponseHeadersRead, cancellation), cancellation);
            await using Stream stream = await response.Content.ReadAsStreamAsync(cancellation);
            await using IAsyncEnumerator<SseItem<string>> events = SseParser.Create(stream).EnumerateAsync(cancellation).GetAsyncEnumerator(cancellation);
            while (await NextAsync(events))
            {
                JsonElement status = JsonElement.Parse(events.Current.Data);
                yield return status;
                if (status.GetProperty("state").GetString() is "finished" or "cancelled") yield break;
            }
        }

        static async Task<bool> NextAsync(IAsyncEnumerator<SseItem<string>> events)
        {
            try
            {
                return await events.MoveNextAsync();
            }
            catch (Exception broken) when (broken is IOException or HttpRequestException)
            {
                return false;
            }
        }
    }

    /// <summary>Content behind a run's path.</summary>
    public async Task<byte[]> DownloadAsync(string run, string path, CancellationToken cancellation)
    {
        using HttpResponseMessage response = await AskAsync(() => _http.GetAsync(Of(run, path), cancellation), cancellation);
        return await response.Content.ReadAsByteArrayAsync(cancellation);
    }

    /// <inheritdoc/>
    public void Dispose() => _http.Dispose();

    private async Task<JsonElement> JsonAsync(Func<Task<HttpResponseMessage>> ask, CancellationToken cancellation)
    {
        using HttpResponseMessage response = await AskAsync(ask, cancellation);
        return await response.Content.ReadFromJsonAsync<JsonElement>(cancellation);
    }

    private async Task<HttpResponseMessage> AskAsync(Func<Task<HttpResponseMessage>> ask, CancellationToken cancellation)
    {
        HttpResponseMessage response;
        try
        {
            response = await ask();
        }
        catch (HttpRequestException failure)
        {
            throw new IOException($"{_http.BaseAddress}: expected a scheduler, found none ({failure.Message}); --scheduler or ECOLORA_SCHEDULER says where one is, and ecolora up starts one here");
        }
        if (response.IsSuccessStatusCode) return response;
        using (response)
        {
            string hint = response.StatusCode != HttpStatusCode.NotFound ? ""
                : response.RequestMessage?.RequestUri?.AbsolutePath.Contains("/sites/", StringComparison.Ordinal) == true ? " (ecolora sites)" : " (ecolora list)";
            string refusal = $"{_http.BaseAddress}: {(int)response.StatusCode}: {await response.Content.ReadAsStringAsync(cancellation)}{hint}";
            throw (int)response.StatusCode >= 500 ? new IOException(refusal) : new ArgumentException(refusal);
        }
    }

    private static Uri Of(string run, string path = "") => RunPlan.IsName(run)
        ? Path($"runs/{run}{path}")
        : throw new ArgumentException($"run: expected {RunPlan.NameRule}, found '{run}'");

    private static Uri OfSite(string site, string path = "") => RunPlan.IsName(site)
        ? Path($"sites/{site}{path}")
        : throw new ArgumentException($"site: expected {RunPlan.NameRule}, found '{site}'");

    private static Uri Path(string path) => new(path, UriKind.Relative);
}
