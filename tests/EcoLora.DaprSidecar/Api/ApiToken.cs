namespace EcoLora.DaprSidecar;

/// <summary>The token that the app's calls must carry when DAPR_API_TOKEN is set. Health and calls of other sidecars go without.</summary>
internal static class ApiToken
{
    public const string Header = "dapr-api-token";

    public static void RequireApiToken(this WebApplication api, string? token)
    {
        if (token is null) return;
        api.Use(async (context, next) =>
        {
            PathString path = context.Request.Path;
            if (path.StartsWithSegments("/v1.0/healthz") || path.StartsWithSegments(InvocationApi.BetweenSidecars) || context.Request.Headers[Header] == token)
                await next();
            else context.Response.StatusCode = StatusCodes.Status401Unauthorized;
        });
    }
}
