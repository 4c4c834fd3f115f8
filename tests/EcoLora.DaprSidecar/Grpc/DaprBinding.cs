using Dapr.Client.Autogen.Grpc.v1;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;

namespace EcoLora.DaprSidecar;

/// <summary>The names of <see cref="DaprService"/>'s methods on the wire. Dapr.Protos has the messages and the client of the service, but no base of a server, from which this would come.</summary>
internal static class DaprBinding
{
    private const string Service = "dapr.proto.runtime.v1.Dapr";

    /// <summary>Called by Grpc.AspNetCore, without a service: it finds the methods, which must be virtual, by their names.</summary>
    public static void Bind(ServiceBinderBase binder, DaprService? service)
    {
        Add<PublishEventRequest, Empty>(nameof(DaprService.PublishEvent), service is null ? null : service.PublishEvent);
        Add<GetStateRequest, GetStateResponse>(nameof(DaprService.GetState), service is null ? null : service.GetState);
        Add<GetBulkStateRequest, GetBulkStateResponse>(nameof(DaprService.GetBulkState), service is null ? null : service.GetBulkState);
        Add<SaveStateRequest, Empty>(nameof(DaprService.SaveState), service is null ? null : service.SaveState);
        Add<DeleteStateRequest, Empty>(nameof(DaprService.DeleteState), service is null ? null : service.DeleteState);
        Add<GetSecretRequest, GetSecretResponse>(nameof(DaprService.GetSecret), service is null ? null : service.GetSecret);

        void Add<TRequest, TResponse>(string name, UnaryServerMethod<TRequest, TResponse>? method)
            where TRequest : class, IMessage<TRequest>, new()
            where TResponse : class, IMessage<TResponse>, new() =>
            binder.AddMethod(new Method<TRequest, TResponse>(MethodType.Unary, Service, name, Marshaller<TRequest>(), Marshaller<TResponse>()), method);
    }

    private static Marshaller<T> Marshaller<T>()
        where T : class, IMessage<T>, new()
    {
        var parser = new MessageParser<T>(() => new T());
        return Marshallers.Create(message => message.ToByteArray(), parser.ParseFrom);
    }
}
