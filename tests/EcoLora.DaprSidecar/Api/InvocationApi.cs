using System.Globalization;
using System.Net.Http.Headers;
using System.Text;
using StackExchange.Redis;

namespace EcoLora.DaprSidecar;

/// <summary>
/// /v1.0/invoke/{appId}/method/{m}: the caller's sidecar asks the called app's sidecar, which asks its app. Sidecars find each other in a Redis hash
/// that each of them writes at its start.
/// </summary>
internal sealed class InvocationApi(SidecarOptions options, AppChannel? app, RedisConnection? registry) : IDisposable
{
    /// <summary>Where sidecars talk to each other; daprd has gRPC there.</summary>
    public const string BetweenSidecars = "/between-sidecars";
    private const string AppIdHeader = "dapr-app-id";
    private const string Registry = "ecolora-dapr-sidecars";
    private static readonly string[] Verbs = ["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"];
    private static readonly string[] HopByHop =
        ["Host", "Connection", "Transfer-Encoding", "Content-Length", "Keep-Alive", "Expect", "Upgrade", ApiToken.Header];
    private readonly HttpClient sidecars = new() { Timeout = Timeout.InfiniteTimeSpan, MaxResponseContentBufferSize = options.MaxBodySize };

    public void Map(WebApplication api)
    {
        api.MapMethods("/v1.0/invoke/{appId}/method/{**method}", Verbs, InvokeAsync);
        api.MapMethods(BetweenSidecars + "/{**method}", Verbs, (string? method, HttpContext context) => AnswerAsync(method, context));
        // Any path that nothing else answers is a method of the app that a header names.
        api.MapFallback("/{**method}", (string? method, HttpContext context) => Named(context.Request.Headers) is { } named
            ? InvokeAsync(named, method, context)
            : Task.FromResult(ApiAnswer.Error(404, "ERR_DIRECT_INVOKE", "failed getting app id either from the URL path or the header dapr-app-id")));
    }

    public async Task RegisterAsync(int port)
    {
        if (registry is not null) await registry.CallAsync("HSET", Registry, options.AppId, port.ToString(CultureInfo.InvariantCulture));
    }

    public void Dispose() => sidecars.Dispose();

    /// <summary>The app that <c>dapr-app-id</c> names, or basic authorization with that as its user.</summary>
    private static string? Named(IHeaderDictionary headers)
    {
        if (headers[AppIdHeader].ToString() is { Length: > 0 } appId) return appId;
        if (!AuthenticationHeaderValue.TryParse(headers.Authorization, out AuthenticationHeaderValue? basic) || basic.Scheme != "Basic") return null;
        byte[] pair = new byte[basic.Parameter?.Length ?? 0];
        if (!Convert.TryFromBase64String(basic.Parameter ?? "", pair, out int length)) return null;
        string[] parts = Encoding.UTF8.GetString(pair, 0, length).Split(':');
        return parts.Length == 2 && string.Equals(parts[0], AppIdHeader, StringComparison.OrdinalIgnoreCase) && parts[1].Length > 0 ? parts[1] : null;
    }

    private async Task<IResult> InvokeAsync(string appId, string? method, HttpContext context)
    {
        context.Request.Headers.Remove(AppIdHeader);
        context.Request.Headers["dapr-caller-app-id"] = options.AppId;
        context.Request.Headers["dapr-callee-app-id"] = appId;
        if (appId == options.AppId) return await AnswerAsync(method, context);
        try
        {
            string? port = registry is null ? null : (string)await registry.CallAsync("HGET", Registry, appId);
            if (port is null) return ApiAnswer.Error(500, "ERR_DIRECT_INVOKE", $"failed to invoke, id: {appId}, err: couldn't find service: {appId}");
            return await PassAsync(new($"http://127.0.0.1:{port}{BetweenSidecars}/{method}{context.Request.QueryString}"), sidecars.SendAsync, context);
        }
        catch (RedisException error)
        {
            return ApiAnswer.Error(500, "ERR_DIRECT_INVOKE", $"failed to invoke, id: {appId}, err: {error.Message}");
        }
    }

    private async Task<IResult> AnswerAsync(string? method, HttpContext context) => app is null
        ? ApiAnswer.Error(500, "ERR_DIRECT_INVOKE", $"failed to invoke, id: {options.AppId}, err: app channel is not initialized")
        : await PassAsync(new($"http://127.0.0.1:{options.AppPort}/{method}{context.Request.QueryString}"), app.SendAsync, context);

    private async Task<IResult> PassAsync(Uri target, Func<HttpRequestMessage, CancellationToken, Task<HttpResponseMessage>> sendAsync, HttpContext context)
    {
        if (await ApiAnswer.BodyAsync(context.Request, options.MaxBodySize) is not { } body) return ApiAnswer.TooLarge(options.MaxBodySize);
        using HttpRequestMessage request = new(new HttpMethod(context.Request.Method), target);
        if (body.Length > 0 || context.Request.ContentLength is not null) request.Content = new ByteArrayContent(body);
        foreach ((string name, Microsoft.Extensions.Primitives.StringValues values) in context.Request.Headers)
        {
            if (HopByHop.Contains(name, StringComparer.OrdinalIgnoreCase)) continue;
            if (!request.Headers.TryAddWithoutValidation(name, values.AsEnumerable()))
                request.Content?.Headers.TryAddWithoutValidation(name, values.AsEnumerable());
        }
        try
        {
            using HttpResponseMessage response = await sendAsync(request, context.RequestAborted);
            byte[] answer = await response.Content.ReadAsByteArrayAsync(context.RequestAborted);
            context.Response.StatusCode = (int)response.StatusCode;
            foreach ((string name, IEnumerable<string> values) in response.Headers.Concat(response.Content.Headers))
                if (!HopByHop.Contains(name, StringComparer.OrdinalIgnoreCase))
                    context.Response.Headers[name] = values.ToArray();
            if (answer.Length > 0) await context.Response.Body.WriteAsync(answer, context.RequestAborted);
            return Results.Empty;
        }
        catch (HttpRequestException error)
        {
            return ApiAnswer.Error(500, "ERR_DIRECT_INVOKE", $"failed to invoke, id: {options.AppId}, err: {error.Message}");
        }
    }
}
