using System.Text.Json;
using Dapr.Client.Autogen.Grpc.v1;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;

namespace EcoLora.DaprSidecar;

/// <summary>
/// Dapr's gRPC API as far as apps here use it by Dapr's SDK: publishing, state and secrets, over the same components as the HTTP API. Codes as daprd has them, which are not those
/// of the HTTP API throughout: an unknown component is an invalid argument, an ETag that does not match is Aborted, and all else that a store refuses Internal.
/// </summary>
[BindServiceMethod(typeof(DaprBinding), nameof(DaprBinding.Bind))]
internal class DaprService(PublishApi publish, StateApi state, SecretApi secrets)
{
    public virtual async Task<Empty> PublishEvent(PublishEventRequest request, ServerCallContext context)
    {
        var metadata = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);
        foreach ((string name, string value) in request.Metadata) metadata[name] = value;
        string? traceParent = context.RequestHeaders.GetValue("traceparent");
        // By gRPC only, a raw message has them beside it.
        if (PublishApi.TryRaw(metadata, out bool raw) && raw) (metadata["traceid"], metadata["tracestate"]) = (traceParent ?? "", "");
        ApiFailure? failure = publish.Refusal(request.PubsubName, request.Topic)
            ?? await publish.PublishAsync(request.PubsubName, request.Topic, request.Data.ToByteArray(), request.DataContentType, metadata, traceParent);
        return failure is null ? new Empty() : throw Failure(failure);
    }

    public virtual async Task<GetStateResponse> GetState(GetStateRequest request, ServerCallContext context)
    {
        RedisStateStore store = Store(request.StoreName);
        try
        {
            StateValue? value = await store.GetAsync(Checked(request.Key));
            return value is null ? new GetStateResponse() : new GetStateResponse { Data = ByteString.CopyFrom(value.Data), Etag = value.ETag ?? "" };
        }
        catch (Exception error) when (StateApi.IsFailure(error))
        {
            throw new RpcException(new Status(StatusCode.Internal, $"fail to get {request.Key} from state store {request.StoreName}: {error.Message}"));
        }
    }

    public virtual async Task<GetBulkStateResponse> GetBulkState(GetBulkStateRequest request, ServerCallContext context)
    {
        RedisStateStore store = Store(request.StoreName);
        string[] keys = [.. request.Keys.Select(Checked)];
        var response = new GetBulkStateResponse();
        response.Items.AddRange(await Task.WhenAll(keys.Select(key => ItemAsync(store, key))));
        return response;
    }

    public virtual async Task<Empty> SaveState(SaveStateRequest request, ServerCallContext context)
    {
        RedisStateStore store = Store(request.StoreName);
        try
        {
            await StateApi.SaveAsync(store, [.. request.States.Select(Change)]);
            return new Empty();
        }
        catch (StateException error)
        {
            throw Refusal(error, $"failed saving state in state store {request.StoreName}");
        }
    }

    public virtual async Task<Empty> DeleteState(DeleteStateRequest request, ServerCallContext context)
    {
        RedisStateStore store = Store(request.StoreName);
        try
        {
            await store.ChangeAsync(new StateChange(Checked(request.Key), null, request.Etag?.Value, Concurrency(request.Options), null));
            return new Empty();
        }
        catch (StateException error)
        {
            throw Refusal(error, $"failed deleting state with key {request.Key}");
        }
    }

    public virtual Task<GetSecretResponse> GetSecret(GetSecretRequest request, ServerCallContext context)
    {
        if (secrets.Find(request.StoreName, out Component? store) is { } failure) throw Failure(failure);
        var response = new GetSecretResponse();
        response.Data.Add(SecretApi.Read(store!, request.Key));
        return Task.FromResult(response);
    }

    private RedisStateStore Store(string name) => state.Find(name, out RedisStateStore? store) is { } failure ? throw Failure(failure) : store!;

    private static async Task<BulkStateItem> ItemAsync(RedisStateStore store, string key)
    {
        try
        {
            StateValue? value = await store.GetAsync(key);
            return value is null ? new BulkStateItem { Key = key } : new BulkStateItem { Key = key, Data = ByteString.CopyFrom(value.Data), Etag = value.ETag ?? "" };
        }
        catch (Exception error) when (StateApi.IsFailure(error))
        {
            return new BulkStateItem { Key = key, Error = error.Message };
        }
    }

    /// <summary>Bytes as they are, unless the item's metadata says that they are JSON.</summary>
    private static StateChange Change(StateItem item)
    {
        byte[] value = item.Value.ToByteArray();
        if (item.Metadata.TryGetValue("contentType", out string? type) && type == "application/json")
        {
            using JsonDocument json = JsonDocument.Parse(value);
            value = GoJson.Marshal(json.RootElement);
        }
        return new StateChange(Checked(item.Key), value, item.Etag?.Value, Concurrency(item.Options), StateApi.Ttl(item.Metadata));
    }

    private static string Concurrency(StateOptions? options) => options?.Concurrency switch
    {
        StateOptions.Types.StateConcurrency.ConcurrencyFirstWrite => "first-write",
        StateOptions.Types.StateConcurrency.ConcurrencyLastWrite => "last-write",
        _ => "",
    };

    private static string Checked(string key)
    {
        try
        {
            return StateApi.Checked(key);
        }
        catch (FormatException error)
        {
            throw new RpcException(new Status(StatusCode.InvalidArgument, error.Message));
        }
    }

    private static RpcException Refusal(StateException error, string what) => new(new Status(
        error.Status switch
        {
            409 => StatusCode.Aborted,
            400 => StatusCode.InvalidArgument,
            _ => StatusCode.Internal,
        },
        $"{what}: {error.Message}"));

    private static RpcException Failure(ApiFailure failure) => new(new Status(
        failure.ErrorCode switch
        {
            "ERR_PUBSUB_NOT_CONFIGURED" or "ERR_STATE_STORE_NOT_CONFIGURED" or "ERR_SECRET_STORES_NOT_CONFIGURED" => StatusCode.FailedPrecondition,
            "ERR_PUBSUB_FORBIDDEN" => StatusCode.PermissionDenied,
            "ERR_PUBSUB_PUBLISH_MESSAGE" => StatusCode.Internal,
            _ => StatusCode.InvalidArgument,
        },
        failure.Message));
}
