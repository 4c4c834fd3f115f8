// Of Dapr.Client and Dapr.AspNetCore 1.19.0, and Grpc.Net.Client and Grpc.Core.Api as they come with it: declarations of what EcoLora.Messaging.DaprSdk and EcoLora.Hosting use. Nobody runs them.
#pragma warning disable CA1801, CA1822, IDE0060
using Microsoft.AspNetCore.Routing;

namespace Dapr
{
    public class DaprException(string message, Exception inner) : Exception(message, inner);

    public sealed class TopicOptions
    {
        public string? PubsubName { get; set; }

        public string? Name { get; set; }

        public string? DeadLetterTopic { get; set; }

        public bool EnableRawPayload { get; set; }
    }
}

namespace Dapr.Client
{
    public enum ConcurrencyMode
    {
        FirstWrite,
    }

    public enum ConsistencyMode
    {
        Strong,
    }

    public sealed class StateOptions
    {
        public ConcurrencyMode? Concurrency { get; set; }

        public ConsistencyMode? Consistency { get; set; }
    }

    public readonly record struct BulkStateItem(string Key, string Value, string ETag);

    public abstract class DaprClient : IDisposable
    {
        public abstract Task PublishByteEventAsync(
            string pubsubName, string topicName, ReadOnlyMemory<byte> data, string dataContentType, Dictionary<string, string> metadata, CancellationToken cancellationToken = default);

        public abstract Task<(ReadOnlyMemory<byte> Value, string Etag)> GetByteStateAndETagAsync(
            string storeName, string key, ConsistencyMode? consistencyMode = default, IReadOnlyDictionary<string, string>? metadata = default, CancellationToken cancellationToken = default);

        public abstract Task<IReadOnlyList<BulkStateItem>> GetBulkStateAsync(
            string storeName, IReadOnlyList<string> keys, int? parallelism, IReadOnlyDictionary<string, string>? metadata = default, CancellationToken cancellationToken = default);

        public abstract Task SaveByteStateAsync(
            string storeName, string key, ReadOnlyMemory<byte> value, StateOptions? stateOptions = default, IReadOnlyDictionary<string, string>? metadata = default, CancellationToken cancellationToken = default);

        public abstract Task<bool> TrySaveByteStateAsync(
            string storeName, string key, ReadOnlyMemory<byte> value, string etag, StateOptions? stateOptions = default, IReadOnlyDictionary<string, string>? metadata = default,
            CancellationToken cancellationToken = default);

        public abstract Task DeleteStateAsync(
            string storeName, string key, StateOptions? stateOptions = default, IReadOnlyDictionary<string, string>? metadata = default, CancellationToken cancellationToken = default);

        public abstract Task<Dictionary<string, string>> GetSecretAsync(
            string storeName, string key, IReadOnlyDictionary<string, string>? metadata = default, CancellationToken cancellationToken = default);

        public abstract HttpRequestMessage CreateInvokeMethodRequest(HttpMethod httpMethod, string appId, string methodName);

        public abstract void Dispose();
    }

    public sealed class DaprClientBuilder
    {
        public DaprClientBuilder UseHttpEndpoint(string httpEndpoint) => this;

        public DaprClientBuilder UseGrpcEndpoint(string grpcEndpoint) => this;

        public DaprClientBuilder UseDaprApiToken(string apiToken) => this;

        public DaprClientBuilder UseGrpcChannelOptions(Grpc.Net.Client.GrpcChannelOptions grpcChannelOptions) => this;

        public DaprClient Build() => null!;
    }
}

namespace Grpc.Core
{
    public enum StatusCode
    {
        InvalidArgument,
        NotFound,
        PermissionDenied,
        Unauthenticated,
        ResourceExhausted,
        FailedPrecondition,
        Aborted,
        Unimplemented,
        Internal,
        Unavailable,
    }

    public readonly record struct Status(StatusCode StatusCode, string Detail);

    public class RpcException(Status status) : Exception
    {
        public Status Status => status;

        public StatusCode StatusCode => status.StatusCode;
    }
}

namespace Grpc.Net.Client
{
    public sealed class GrpcChannelOptions
    {
        public bool ThrowOperationCanceledOnCancellation { get; set; }

        public int? MaxReceiveMessageSize { get; set; }

        public TimeSpan InitialReconnectBackoff { get; set; }

        public TimeSpan? MaxReconnectBackoff { get; set; }
    }
}

namespace Microsoft.AspNetCore.Builder
{
    public static class DaprExtensions
    {
        public static T WithTopic<T>(this T builder, Dapr.TopicOptions topicOptions)
            where T : IEndpointConventionBuilder => builder;

        public static IEndpointConventionBuilder MapSubscribeHandler(this IEndpointRouteBuilder endpoints) => null!;
    }
}
