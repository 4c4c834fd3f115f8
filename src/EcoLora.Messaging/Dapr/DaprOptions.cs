using System.Globalization;

namespace EcoLora.Messaging.Dapr;

/// <summary>Where an app's sidecar is, and how they know each other.</summary>
/// <param name="Endpoint">Base address of the sidecar's HTTP API.</param>
public sealed record DaprOptions(Uri Endpoint)
{
    private const int HttpPort = 3500, GrpcPort = 50001;

    /// <summary>Name of the pub/sub component.</summary>
    public string PubSub { get; init; } = "pubsub";

    /// <summary>Name of the state store component.</summary>
    public string StateStore { get; init; } = "statestore";

    /// <summary>What the app shows the sidecar, from DAPR_API_TOKEN; null for nothing.</summary>
    public string? ApiToken { get; init; }

    /// <summary>How long a call that failed is tried again before its caller is told.</summary>
    public TimeSpan Patience { get; init; } = TimeSpan.FromMinutes(1);

    /// <summary>Base address of the sidecar's gRPC API, which only Dapr's SDK speaks.</summary>
    public Uri GrpcEndpoint { get; init; } = new($"http://127.0.0.1:{GrpcPort}");

    /// <summary>
    /// From the variables that Dapr sets: DAPR_HTTP_ENDPOINT, else http://127.0.0.1 with DAPR_HTTP_PORT (3500 by default); where it is used the same with GRPC (50001); DAPR_API_TOKEN.
    /// </summary>
    /// <param name="variable">Reads an environment variable; null or empty where there is none.</param>
    /// <param name="usesGrpc">Whether the gRPC API is spoken to.</param>
    /// <exception cref="FormatException">A variable has a value that cannot be used; the message names it.</exception>
    public static DaprOptions FromEnvironment(Func<string, string?> variable, bool usesGrpc = false)
    {
        var options = new DaprOptions(Address("DAPR_HTTP", HttpPort)) { ApiToken = Given("DAPR_API_TOKEN") };
        return usesGrpc ? options with { GrpcEndpoint = Address("DAPR_GRPC", GrpcPort) } : options;

        Uri Address(string api, int usual)
        {
            if (Given(api + "_ENDPOINT") is { } endpoint)
            {
                return Uri.TryCreate(endpoint, UriKind.Absolute, out Uri? uri) && uri.Scheme is "http" or "https"
                    ? uri
                    : throw new FormatException($"{api}_ENDPOINT: expected an http or https address, found '{endpoint}'");
            }
            string? port = Given(api + "_PORT");
            if (port is null) return new Uri($"http://127.0.0.1:{usual}");
            return ushort.TryParse(port, NumberStyles.None, CultureInfo.InvariantCulture, out ushort number) && number > 0
                ? new Uri($"http://127.0.0.1:{number}")
                : throw new FormatException($"{api}_PORT: expected a port of 1 to 65535, found '{port}'");
        }

        string? Given(string name) => variable(name) is { Length: > 0 } value ? value : null;
    }
}
