using System.Globalization;

namespace EcoLora.Messaging.Dapr;

/// <summary>Where an app's sidecar is, and how they know each other.</summary>
/// <param name="Endpoint">Base address of the sidecar's HTTP API.</param>
public sealed record DaprOptions(Uri Endpoint)
{
    /// <summary>Name of the pub/sub component.</summary>
    public string PubSub { get; init; } = "pubsub";

    /// <summary>Name of the state store component.</summary>
    public string StateStore { get; init; } = "statestore";

    /// <summary>What the app shows the sidecar, from DAPR_API_TOKEN; null for nothing.</summary>
    public string? ApiToken { get; init; }

    /// <summary>How long a call that failed is tried again before its caller is told.</summary>
    public TimeSpan Patience { get; init; } = TimeSpan.FromMinutes(1);

    /// <summary>
    /// From the variables that Dapr sets: DAPR_HTTP_ENDPOINT, else http://127.0.0.1 with DAPR_HTTP_PORT (3500 by default); DAPR_API_TOKEN.
    /// </summary>
    /// <param name="variable">Reads an environment variable; null or empty where there is none.</param>
    /// <exception cref="FormatException">A variable has a value that cannot be used; the message names it.</exception>
    public static DaprOptions FromEnvironment(Func<string, string?> variable)
    {
        string? endpoint = Given("DAPR_HTTP_ENDPOINT"), port = Given("DAPR_HTTP_PORT");
        Uri? uri;
        if (endpoint is not null)
        {
            if (!Uri.TryCreate(endpoint, UriKind.Absolute, out uri) || uri.Scheme is not ("http" or "https"))
                throw new FormatException($"DAPR_HTTP_ENDPOINT: expected an http or https address, found '{endpoint}'");
        }
        else
        {
            if (!ushort.TryParse(port ?? "3500", NumberStyles.None, CultureInfo.InvariantCulture, out ushort number) || number == 0)
                throw new FormatException($"DAPR_HTTP_PORT: expected a port of 1 to 65535, found '{port}'");
            uri = new Uri($"http://127.0.0.1:{number}");
        }
        return new DaprOptions(uri) { ApiToken = Given("DAPR_API_TOKEN") };

        string? Given(string name) => variable(name) is { Length: > 0 } value ? value : null;
    }
}
