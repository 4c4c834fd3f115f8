using System.Net;
using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Http;

namespace EcoLora.Hosting;

/// <summary>
/// Who may use an API that people use. With ECOLORA_API_TOKEN whoever shows it as a bearer token. Without one the service is bound to loopback, and whoever is on this machine
/// may, but no page that a browser has from elsewhere: neither by a name that was made to point here, nor across origins.
/// </summary>
public sealed class ApiAccess
{
    /// <summary>The variable with the token.</summary>
    public const string Variable = "ECOLORA_API_TOKEN";

    /// <summary>Shortest token: what is shorter can be guessed.</summary>
    public const int ShortestToken = 16;

    private readonly byte[]? _token;

    /// <summary>Access by a token, or by being on this machine.</summary>
    /// <param name="token">The token, or null.</param>
    /// <param name="isLoopback">Whether only this machine can connect.</param>
    /// <exception cref="SettingException">The token is too short or holds other than visible ASCII, or there is none where others can connect.</exception>
    public ApiAccess(string? token, bool isLoopback)
    {
        string expected = $"{ShortestToken} or more visible ASCII characters";
        if (token is null && !isLoopback) throw new SettingException(Variable, $"{expected}, since ECOLORA_BIND is any", "");
        // A secret is not shown, not even a bad one.
        if (token is not null && (token.Length < ShortestToken || token.Any(c => c is <= ' ' or > '~'))) throw new SettingException(Variable, expected, "others");
        if (token is not null) _token = Digest(token);
    }

    /// <summary>From ECOLORA_API_TOKEN and ECOLORA_BIND.</summary>
    /// <exception cref="SettingException">As for the constructor.</exception>
    public static ApiAccess FromEnvironment(ServiceVariables variables) => new(variables.Secret(Variable), !variables.BindsAny);

    /// <summary>Null when a request may be answered; else 401 or 403 with the reason.</summary>
    public IResult? Refusal(HttpRequest request)
    {
        if (_token is not null)
        {
            string header = request.Headers.Authorization.ToString();
            bool isShown = header.StartsWith("Bearer ", StringComparison.OrdinalIgnoreCase) && CryptographicOperations.FixedTimeEquals(Digest(header["Bearer ".Length..].Trim()), _token);
            if (isShown) return null;
            request.HttpContext.Response.Headers.WWWAuthenticate = "Bearer";
            return Results.Text($"expected the token of {Variable} as a bearer token, found {(header.Length == 0 ? "none" : "another")}", statusCode: StatusCodes.Status401Unauthorized);
        }
        string host = request.Host.Host.Trim('[', ']');
        if (host != "localhost" && !(IPAddress.TryParse(host, out IPAddress? address) && IPAddress.IsLoopback(address))) return Forbidden($"host: expected a name of this machine's loopback, found '{host}'");
        string origin = request.Headers.Origin.ToString(), site = request.Headers["Sec-Fetch-Site"].ToString();
        if (origin.Length > 0 && origin != $"{request.Scheme}://{request.Host}") return Forbidden($"origin: expected none but this service's own, found '{origin}'");
        return site is "" or "same-origin" or "none" ? null : Forbidden($"Sec-Fetch-Site: expected same-origin, found '{site}'");
    }

    private static IResult Forbidden(string why) => Results.Text(why, statusCode: StatusCodes.Status403Forbidden);

    private static byte[] Digest(string token) => SHA256.HashData(Encoding.UTF8.GetBytes(token));
}
