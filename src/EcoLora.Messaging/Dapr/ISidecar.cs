namespace EcoLora.Messaging.Dapr;

/// <summary>
/// What an app asks of its sidecar. <see cref="SidecarClient"/> asks by Dapr's HTTP API; builds with <c>-p:Feed=full</c> have one that asks by Dapr's SDK. <see cref="DaprBus"/> and
/// <see cref="DaprStateStore"/> are the same over both. All calls but the one for readiness are tried again while the sidecar, or what is behind it, is away.
/// </summary>
public interface ISidecar : IInvoker, IDisposable
{
    /// <summary>Where it is.</summary>
    DaprOptions Options { get; }

    /// <summary>Publishes bytes as they are, in partition <paramref name="key"/> where a broker has partitions.</summary>
    /// <exception cref="CallException">A refusal, or the patience of the options is over; so for all calls but the one for readiness.</exception>
    Task PublishAsync(string topic, string key, ReadOnlyMemory<byte> payload, CancellationToken cancellation);

    /// <summary>A value, which is JSON, with its ETag; null where there is none.</summary>
    Task<StoredValue?> ReadStateAsync(string key, CancellationToken cancellation);

    /// <summary>Values by key: null where there is none, and no entry for a key of which nothing is known, since the store was away or the answer does not say.</summary>
    Task<IReadOnlyDictionary<string, StoredValue?>> ReadStatesAsync(IReadOnlyList<string> keys, CancellationToken cancellation);

    /// <summary>Writes JSON where the key still has that ETag, or, without one, has no value: first-write and strong, without which an insert would replace what is there.</summary>
    /// <returns>Null when it is written; else what was answered, which may be a conflict, or a failure of the store that looks like one.</returns>
    Task<string?> TryWriteStateAsync(string key, ReadOnlyMemory<byte> json, string? etag, CancellationToken cancellation);

    /// <summary>Deletes a value, if there is one.</summary>
    Task DeleteStateAsync(string key, CancellationToken cancellation);

    /// <summary>A secret of a store; null where there is none, or an empty one.</summary>
    /// <param name="store">The component.</param>
    /// <param name="name">Its name.</param>
    /// <param name="refused">Is told where the store answers with an error: some do so for a secret that they do not have.</param>
    /// <param name="cancellation">Ends trying.</param>
    Task<string?> ReadSecretAsync(string store, string name, Action<string> refused, CancellationToken cancellation);

    /// <summary>Whether the sidecar can publish now. It is not asked for what needs this app, which would wait for each other.</summary>
    Task<bool> IsReadyAsync(CancellationToken cancellation);
}

/// <summary>Waiting for a sidecar.</summary>
public static class SidecarReadiness
{
    /// <summary>Waits until the sidecar can publish, however late it comes.</summary>
    public static Task WaitUntilReadyAsync(this ISidecar sidecar, CancellationToken cancellation) => Patience.UntilAsync(() => sidecar.IsReadyAsync(cancellation), cancellation);
}
