using System.Net;

namespace EcoLora.Messaging;

/// <summary>Calls of another service's HTTP API, by its app id. The conformance suite in tests/EcoLora.Messaging.Tests says what an implementation must do.</summary>
public interface IInvoker
{
    /// <summary>Calls, again and again, until the answer is a success, one of the expected codes, or a refusal that does not get better (400, 401, 403, 404).</summary>
    /// <param name="method">The verb.</param>
    /// <param name="app">The other app's id.</param>
    /// <param name="path">Path and query on the other app, without a leading slash.</param>
    /// <param name="body">The body, or null.</param>
    /// <param name="cancellation">Ends trying.</param>
    /// <param name="expected">Codes that are answers too.</param>
    /// <exception cref="CallException">A refusal, or the patience is over.</exception>
    Task<HttpResponseMessage> InvokeAsync(HttpMethod method, string app, string path, ReadOnlyMemory<byte>? body, CancellationToken cancellation, params HttpStatusCode[] expected);
}

/// <summary>A call that was refused, or not taken in time.</summary>
/// <param name="callee">Who was called.</param>
/// <param name="path">The call.</param>
/// <param name="found">The answer.</param>
public sealed class CallException(string callee, string path, string found) : IOException($"{callee}: expected {path} to be taken, found {found}");
