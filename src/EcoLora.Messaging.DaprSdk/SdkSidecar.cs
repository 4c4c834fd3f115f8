using System.Net;
using Dapr;
using Dapr.Client;
using EcoLora.Messaging.Dapr;
using Grpc.Core;
using Grpc.Net.Client;

namespace EcoLora.Messaging.DaprSdk;

/// <summary>An app's calls to its sidecar by Dapr's SDK for .NET: publishing, state and secrets by gRPC, invocation and health by HTTP.</summary>
public sealed class SdkSidecar : ISidecar
{
    /// <summary>As large as an answer by HTTP may be.</summary>
    private const int LargestAnswer = 64 << 20;

    private static readonly StateOptions _firstWrite = new() { Concurrency = ConcurrencyMode.FirstWrite, Consistency = ConsistencyMode.Strong };

    private readonly DaprClient _client;
    private readonly PatientClient _invocation;
    private readonly Patience _patience;

    /// <summary>Makes it; nothing is sent yet.</summary>
    /// <param name="options">The sidecar.</param>
    public SdkSidecar(DaprOptions options)
    {
        Options = options;
        _patience = new Patience(options.Patience);
        // The SDK's own HTTP client follows redirections, and takes the token along.
        _invocation = new PatientClient(options.Patience);
        _client = new DaprClientBuilder()
            .UseHttpEndpoint(options.Endpoint.AbsoluteUri)
            .UseGrpcEndpoint(options.GrpcEndpoint.AbsoluteUri)
            .UseDaprApiToken(options.ApiToken ?? "")
            .UseGrpcChannelOptions(new GrpcChannelOptions
            {
                ThrowOperationCanceledOnCancellation = true,
                MaxReceiveMessageSize = LargestAnswer,
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
        _invocation.SendAsync("sidecar", () => PatientClient.WithBody(_client.CreateInvokeMethodRequest(method, app, path), body), cancellation, expected);

    /// <inheritdoc/>
    public Task PublishAsync(string topic, string key, ReadOnlyMemory<byte> payload, CancellationToken cancellation)
    {
        var metadata = new Dictionary<string, string> { ["rawPayload"] = "true", ["partitionKey"] = key };
        return AskAsync($"publish {topic}", () => _client.PublishByteEventAsync(Options.PubSub, topic, payload, TopicEndpoints.RawContent, metadata, cancellation), cancellation);
    }

    /// <inheritdoc/>
    public Task<StoredValue?> ReadStateAsync(string key, CancellationToken cancellation) => AskAsync<StoredValue?>($"state {key}", async () =>
    {
        (ReadOnlyMemory<byte> json, string? etag) = await _client.GetByteStateAndETagAsync(Options.StateStore, key, ConsistencyMode.Strong, cancellationToken: cancellation);
        return json.IsEmpty ? null : string.IsNullOrEmpty(etag) ? throw new CallException("sidecar", $"state {key}", "a value without ETag") : new StoredValue(json, etag);
    }, cancellation);

    /// <inheritdoc/>
    public async Task<IReadOnlyDictionary<string, StoredValue?>> ReadStatesAsync(IReadOnlyList<string> keys, CancellationToken cancellation)
    {
        try
        {
            IReadOnlyList<BulkStateItem> items = await AskAsync("states", () => _client.GetBulkStateAsync(Options.StateStore, keys, parallelism: null, cancellationToken: cancellation), cancellation, IsTooLarge);
            // The SDK does not pass on why an item is empty: since there is none, or since the store was away. Every value of ours has characters.
            return items.Where(item => item.Value.Length > 0)
                .ToDictionary(item => item.Key, StoredValue? (item) => new StoredValue(System.Text.Encoding.UTF8.GetBytes(item.Value), item.ETag), StringComparer.Ordinal);
        }
        catch (DaprException exception) when (IsTooLarge(exception))
        {
            // Together they are more than the sidecar may send, which is its --max-body-size: each is asked for alone.
            return new Dictionary<string, StoredValue?>();
        }

        static bool IsTooLarge(DaprException exception) => exception.InnerException is RpcException { StatusCode: StatusCode.ResourceExhausted };
    }

    /// <inheritdoc/>
    public Task<string?> TryWriteStateAsync(string key, ReadOnlyMemory<byte> json, string? etag, CancellationToken cancellation) => AskAsync($"state {key}", async () =>
    {
        try
        {
            if (etag is null) await _client.SaveByteStateAsync(Options.StateStore, key, json, _firstWrite, cancellationToken: cancellation);
            else if (!await _client.TrySaveByteStateAsync(Options.StateStore, key, json, etag, _firstWrite, cancellationToken: cancellation)) return nameof(StatusCode.Aborted);
            return null;
        }
        catch (DaprException exception) when (exception.InnerException is RpcException { StatusCode: StatusCode.Internal } refusal)
        {
            return Found(refusal);
        }
    }, cancellation);

    /// <inheritdoc/>
    public Task DeleteStateAsync(string key, CancellationToken cancellation) =>
        AskAsync($"state {key}", () => _client.DeleteStateAsync(Options.StateStore, key, cancellationToken: cancellation), cancellation);

    /// <inheritdoc/>
    public Task<string?> ReadSecretAsync(string store, string name, Action<string> refused, CancellationToken cancellation) => AskAsync($"secret {name}", async () =>
    {
        try
        {
            return SecretValues.Pick(await _client.GetSecretAsync(store, name, cancellationToken: cancellation), name);
        }
        catch (DaprException exception) when (exception.InnerException is RpcException { StatusCode: not StatusCode.Unavailable } refusal)
        {
            refused($"{refusal.StatusCode}");
            return null;
        }
    }, cancellation);

    /// <inheritdoc/>
    public Task<bool> IsReadyAsync(CancellationToken cancellation) => _client.CheckOutboundHealthAsync(cancellation);

    /// <inheritdoc/>
    public void Dispose()
    {
        _client.Dispose();
        _invocation.Dispose();
    }

    private Task AskAsync(string call, Func<Task> ask, CancellationToken cancellation) => AskAsync(call, async () =>
    {
        await ask();
        return true;
    }, cancellation);

    private Task<T> AskAsync<T>(string call, Func<Task<T>> ask, CancellationToken cancellation, Func<DaprException, bool>? expected = null) => _patience.TryAsync(async () =>
    {
        try
        {
            return new Tried<T>(await ask(), null, false);
        }
        catch (DaprException exception) when (exception.InnerException is RpcException failure && expected?.Invoke(exception) != true)
        {
            cancellation.ThrowIfCancellationRequested();
            // What is said about the request itself does not get better.
            bool isFinal = failure.StatusCode is StatusCode.InvalidArgument or StatusCode.Unauthenticated or StatusCode.PermissionDenied or StatusCode.NotFound or StatusCode.FailedPrecondition
                or StatusCode.Unimplemented;
            return new Tried<T>(default, new CallException("sidecar", call, Found(failure)), isFinal);
        }
    }, cancellation);

    private static string Found(RpcException failure) => $"{failure.StatusCode} {failure.Status.Detail[..Math.Min(300, failure.Status.Detail.Length)]}";
}
