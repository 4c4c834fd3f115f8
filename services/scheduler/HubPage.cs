namespace EcoLora.Services.Scheduler;

/// <summary>The live page at <c>/</c>: it holds no data, asks the API like any other caller, and may load nothing but itself.</summary>
internal static class HubPage
{
    private const string Policy =
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

    private static readonly (string Path, string File, string Type)[] _files =
        [("/", "hub.html", "text/html; charset=utf-8"), ("/hub.css", "hub.css", "text/css; charset=utf-8"), ("/hub.js", "hub.js", "text/javascript; charset=utf-8")];

    /// <summary>Maps the page and its two files.</summary>
    public static void Map(IEndpointRouteBuilder endpoints)
    {
        foreach ((string path, string file, string type) in _files)
        {
            byte[] content = Resource(file);
            endpoints.MapGet(path, (HttpContext context) =>
            {
                IHeaderDictionary headers = context.Response.Headers;
                (headers.ContentSecurityPolicy, headers.XContentTypeOptions, headers.CacheControl) = (Policy, "nosniff", "no-store");
                headers["Referrer-Policy"] = "no-referrer";
                return Results.Bytes(content, type);
            }).ExcludeFromDescription();
        }
    }

    private static byte[] Resource(string name)
    {
        using Stream stream = typeof(HubPage).Assembly.GetManifestResourceStream($"EcoLora.Services.Scheduler.Page.{name}")!;
        using var content = new MemoryStream();
        stream.CopyTo(content);
        return content.ToArray();
    }
}
