using System.Diagnostics;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;

namespace EcoLora.Local.Hub;

/// <summary>
/// What RabbitMQ's management plugin has counted. RabbitMQ forgets a message when all queues have handled it, so there is nothing to read again; its counts begin anew when it is
/// started, and are some seconds old.
/// </summary>
internal sealed class RabbitFigures : IDisposable
{
    private const string Password = "ECOLORA_RABBITMQ_PASSWORD";

    /// <summary>How old counts may be: channels tell theirs every five seconds.</summary>
    private static readonly TimeSpan _age = TimeSpan.FromSeconds(12), _pause = TimeSpan.FromSeconds(1);

    private readonly HttpClient _http;

    private RabbitFigures(Uri address)
    {
        _http = new HttpClient { BaseAddress = address, Timeout = TimeSpan.FromSeconds(15) };
        string user = address.UserInfo is { Length: > 0 } given ? Uri.UnescapeDataString(given) : "guest", password = Environment.GetEnvironmentVariable(Password) is { Length: > 0 } known ? known : "guest";
        _http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Basic", Convert.ToBase64String(Encoding.UTF8.GetBytes($"{user}:{password}")));
    }

    /// <summary>Said in the help.</summary>
    public static string PasswordDetails => $"RabbitMQ's password is read from {Password}, else guest's own is tried.";

    /// <summary>Opens the management API.</summary>
    /// <exception cref="ArgumentException">The text is no address.</exception>
    public static RabbitFigures Open(string address) =>
        Uri.TryCreate(address.TrimEnd('/') + "/", UriKind.Absolute, out Uri? uri) && uri.Scheme is "http" or "https" && !uri.UserInfo.Contains(':', StringComparison.Ordinal)
            ? new RabbitFigures(uri)
            : throw new ArgumentException("--rabbitmq: expected the management plugin's address as http://host:15672 or http://user@host:15672, found another");

    /// <summary>Messages that were published to a topic's exchange; asked again for a while where they are fewer than they must be.</summary>
    /// <param name="topic">The topic.</param>
    /// <param name="least">How many there must have been.</param>
    /// <param name="cancellation">Ends the question.</param>
    /// <exception cref="IOException">The plugin does not answer.</exception>
    public async Task<BrokerCount> CountAsync(string topic, long least, CancellationToken cancellation)
    {
        long start = Stopwatch.GetTimestamp();
        while (true)
        {
            long published = await PublishedAsync(topic, cancellation);
            if (published >= least || Stopwatch.GetElapsedTime(start) > _age) return new BrokerCount(topic, "published", published, least, published >= least);
            await Task.Delay(_pause, cancellation);
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _http.Dispose();

    private async Task<long> PublishedAsync(string topic, CancellationToken cancellation)
    {
        try
        {
            using HttpResponseMessage response = await _http.GetAsync(new Uri($"api/exchanges/%2F/{topic}", UriKind.Relative), cancellation);
            if (response.StatusCode == HttpStatusCode.NotFound) return 0;
            response.EnsureSuccessStatusCode();
            JsonElement exchange = await response.Content.ReadFromJsonAsync<JsonElement>(cancellation);
            return exchange.TryGetProperty("message_stats", out JsonElement figures) && figures.TryGetProperty("publish_in", out JsonElement count) ? count.GetInt64() : 0;
        }
        catch (Exception failure) when (failure is HttpRequestException or JsonException or InvalidOperationException or FormatException)
        {
            throw new IOException($"RabbitMQ's management at {_http.BaseAddress!.Host}:{_http.BaseAddress.Port}: {failure.Message}", failure);
        }
    }
}
