using System.Security.Cryptography;
using System.Text;

namespace EcoLora.Messaging;

/// <summary>What whoever calls an app must show it: its sidecar, or, without one, the other services. APP_API_TOKEN.</summary>
/// <param name="Expected">The token; null where none is asked for. A secret.</param>
public sealed record AppToken(string? Expected)
{
    /// <summary>The header that has it.</summary>
    public const string Header = "dapr-api-token";

    /// <summary>Whether a caller shows it.</summary>
    public bool Admits(string? shown) => Expected is not { } expected || CryptographicOperations.FixedTimeEquals(Encoding.UTF8.GetBytes(expected), Encoding.UTF8.GetBytes(shown ?? ""));

    /// <summary>Whether there is one.</summary>
    public override string ToString() => Expected is null ? "no token" : "a token";
}
