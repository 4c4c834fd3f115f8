using System.Net;
using System.Text;
using Dapr;
using Dapr.Client;
using EcoLora.Messaging.Dapr;
using Grpc.Core;
using Grpc.Net.Client;

namespace EcoLora.Messaging.DaprSdk;

/// <summary>An app's calls to its sidecar by Dapr's SDK for .NET: publishing, state and secrets by gRPC, invocation and health by HTTP.</summary>
public sealed class SdkSidecar : ISidecar
{
    private static readonly StateOptions _firstWrite = new() { Concurrency = ConcurrencyMode.FirstWrite, Consistency = ConsistencyMode.Strong };

    private readonly DaprClient _client;
    private readonly PatientClient _http;
    private readonly Patience _patience;

    /// <summary>Makes it; nothing is sent yet.</summary>
    /// <param name="options">The sidecar.</param>
    public SdkSidecar(DaprOptions options)
    {
        Options = options;
        _patience = new Patience(options.Patience);
        // The SDK's own HTTP client follows redirections, and takes the token along: it is not used.
        _http = new PatientClient(options.Patience);
        _client = new DaprClientBuilder()
            .UseHttpEndpoint(options.Endpoint.AbsoluteUri)
            .UseGrpcEndpoint(options.GrpcEndpoint.AbsoluteUri)
            .UseDaprApiToken(options.ApiToken ?? "")
            .UseGrpcChannelOptions(new GrpcChannelOptions
            {
                // Else a deadline of the sidecar's reads like giving up of our own.
                ThrowOperationCanceledOnCancellation = false,
                MaxReceiveMessageSize = PatientClient.LargestAnswer,
                // A channel's usual pause between two attempts to connect grows to two minutes.
                InitialReconnectBackoff = Patience.FirstPause,
                MaxReconnectBackoff = Patience.LongestPause,
            })
            .Build();
    }

    /// <inheritdoc/>
    public DaprOptions Options { get; }

    /// <inheritdoc/>
    public Task<HttpResponseMessage> InvokeAsync(HttpMethod method, string app, string path, ReadOnlyMemory<byte>? body, CancellationToken cancellation, params HttpStatusCode[] expected) =>
        _http.SendAsync("sidecar", () => PatientClient.WithBody(_client.CreateInvokeMethodRequest(method, app, path), body), cancellation, expected);

    /// <inheritdoc/>
    public Task PublishAsync(string topic, string key, ReadOnlyMemory<byte> payload, CancellationToken cancellation)
    {
        var metadata = new Dictionary<string, string> { ["rawPayload"] = "true", ["partitionKey"] = key };
        return AskAsync($"publish {topic}", limit => _client.PublishByteEventAsync(Options.PubSub, topic, payload, PatientClient.ContentType, metadata, limit), cancellation);
    }

    /// <inheritdoc/>
    public Task<StoredValue?> ReadStateAsync(string key, CancellationToken cancellation) => AskAsync<StoredValue?>($"state {key}", async limit =>
    {
        (ReadOnlyMemory<byte> json, string? etag) = await _client.GetByteStateAndETagAsync(Options.StateStore, key, ConsistencyMode.Strong, cancellationToken: limit);
        return json.IsEmpty ? null : string.IsNullOrEmpty(etag) ? throw new CallException("sidecar", $"state {key}", "a value without ETag") : new StoredValue(json, etag);
    }, cancellation);

    /// <inheritdoc/>
    public Task<IReadOnlyDictionary<string, StoredValue?>> ReadStatesAsync(IReadOnlyList<string> keys, CancellationToken cancellation) => AskAsync<IReadOnlyDictionary<string, StoredValue?>>("states", async limit =>
    {
        var found = new Dictionary<string, StoredValue?>(StringComparer.Ordinal);
        try
        {
            // The SDK does not pass on why an item is empty: since there is none, or since the store was away. Every value of ours has characters.
            foreach (BulkStateItem item in await _client.GetBulkStateAsync(Options.StateStore, keys, parallelism: null, cancellationToken: limit))
                if (item.Value.Length > 0 && item.ETag.Length > 0) found[item.Key] = new StoredValue(Encoding.UTF8.GetBytes(item.Value), item.ETag);
        }
        catch (DaprException exception) when (exception.InnerException is RpcException { StatusCode: StatusCode.ResourceExhausted })
        {
            // Together they are more than the sidecar may send, which is its --max-body-size: each is asked for alone.
        }
        return found;
    }, cancellation);

    /// <inheritdoc/>
    public Task<string?> TryWriteStateAsync(string key, ReadOnlyMemory<byte> json, string? etag, CancellationToken cancellation) => AskAsync($"state {key}", async limit =>
    {
        try
        {
            if (etag is null) await _client.SaveByteStateAsync(Options.StateStore, key, json, _firstWrite, cancellationToken: limit);
            else if (!await _client.TrySaveByteStateAsync(Options.StateStore, key, json, etag, _firstWrite, cancellationToken: limit)) return nameof(StatusCode.Aborted);
            return null;
        }
        // A refused insert is the one by Redis, the other by stores that tell it from a failure.
        catch (DaprException exception) when (exception.InnerException is RpcException { StatusCode: StatusCode.Internal or StatusCode.Aborted } refusal)
        {
            return Found(refusal);
        }
    }, cancellation);

    /// <inheritdoc/>
    public Task DeleteStateAsync(string key, CancellationToken cancellation) =>
        AskAsync($"state {key}", limit => _client.DeleteStateAsync(Options.StateStore, key, cancellationToken: limit), cancellation);

    /// <inheritdoc/>
    public Task<string?> ReadSecretAsync(string store, string name, Action<string> refused, CancellationToken cancellation) => AskAsync($"secret {name}", async limit =>
    {
        try
        {
            return SecretValues.Pick(await _client.GetSecretAsync(store, name, cancellationToken: limit), name);
        }
        catch (DaprException exception) when (exception.InnerException is RpcException refusal && (IsFinal(refusal) || refusal.StatusCode == StatusCode.Internal))
        {
            refused($"{refusal.StatusCode}");
            return null;
        }
    }, cancellation);

    /// <inheritdoc/>
    public Task<bool> IsReadyAsync(CancellationToken cancellation) => _http.IsSuccessAsync(new Uri(Options.Endpoint, SidecarClient.OutboundHealth), cancellation);

    /// <inheritdoc/>
    public void Dispose()
    {
        _client.Dispose();
        _http.Dispose();
    }

    private Task AskAsync(string call, Func<CancellationToken, Task> ask, CancellationToken cancellation) => AskAsync(call, async limit =>
    {
        await ask(limit);
        return true;
    }, cancellation);

    /// <summary>Asks with patience, and no try takes longer than that.</summary>
    private Task<T> AskAsync<T>(string call, Func<CancellationToken, Task<T>> ask, CancellationToken cancellation) => _patience.TryAsync(async () =>
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        limit.CancelAfter(Options.Patience);
        try
        {
            return new Tried<T>(await ask(limit.Token), null, false);
        }
        catch (Exception exception) when (exception is DaprException { InnerException: RpcException } or OperationCanceledException)
        {
            cancellation.ThrowIfCancellationRequested();
            RpcException? failure = exception.InnerException as RpcException;
            string found = failure is null || limit.IsCancellationRequested ? FormattableString.Invariant($"no answer in {Options.Patience.TotalSeconds} s") : Found(failure);
            return new Tried<T>(default, new CallException("sidecar", call, found), failure is not null && IsFinal(failure));
        }
    }, cancellation);

    /// <summary>Whether it is said about the request itself, and so does not get better.</summary>
    private static bool IsFinal(RpcException failure) => failure.StatusCode is StatusCode.InvalidArgument or StatusCode.Unauthenticated or StatusCode.PermissionDenied or StatusCode.NotFound
        or StatusCode.FailedPrecondition or StatusCode.Unimplemented;

    private static string Found(RpcException failure) => $"{failure.StatusCode} {failure.Status.Detail[..Math.Min(300, failure.Status.Detail.Length)]}";
}
