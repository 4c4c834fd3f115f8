using System.Net;

namespace EcoLora.Messaging;

/// <summary>Where an app is.</summary>
/// <param name="Address">Base address of its HTTP API.</param>
/// <param name="Token">What it wants to be shown as <c>dapr-api-token</c>, as a sidecar of its own would show it; null for nothing. A secret.</param>
public sealed record AppAddress(Uri Address, string? Token)
{
    /// <summary>The address alone.</summary>
    public override string ToString() => Address.ToString();
}

/// <summary>Calls other apps where they are, without a sidecar.</summary>
public sealed class DirectInvoker : IInvoker, IDisposable
{
    private readonly IReadOnlyDictionary<string, AppAddress> _apps;
    private readonly PatientClient _client;

    /// <summary>Makes it; nothing is sent yet.</summary>
    /// <param name="apps">Addresses by app id.</param>
    /// <param name="patience">How long a call that failed is tried again before its caller is told.</param>
    public DirectInvoker(IReadOnlyDictionary<string, AppAddress> apps, TimeSpan patience) => (_apps, _client) = (apps, new PatientClient(patience));

    /// <inheritdoc/>
    public Task<HttpResponseMessage> InvokeAsync(HttpMethod method, string app, string path, ReadOnlyMemory<byte>? body, CancellationToken cancellation, params HttpStatusCode[] expected)
    {
        if (!_apps.TryGetValue(app, out AppAddress? known)) throw new CallException(app, path, "no address of this app");
        return _client.SendAsync(app, () =>
        {
            HttpRequestMessage request = PatientClient.Request(method, new Uri($"{known.Address.AbsoluteUri.TrimEnd('/')}/{path}"), body);
            if (known.Token is { } token) request.Headers.Add(AppToken.Header, token);
            return request;
        }, cancellation, expected);
    }

    /// <inheritdoc/>
    public void Dispose() => _client.Dispose();
}
