namespace EcoLora.DaprSidecar;

/// <summary>daprd's error body.</summary>
internal sealed record ApiError(string ErrorCode, string Message);

/// <summary>A call that is not done, whichever API it came by.</summary>
internal sealed record ApiFailure(int Status, string ErrorCode, string Message)
{
    public IResult Answer => ApiAnswer.Error(Status, ErrorCode, Message);
}

/// <summary>Answers and request bodies that all endpoints share.</summary>
internal static class ApiAnswer
{
    public static IResult Error(int status, string code, string message) => Results.Json(new ApiError(code, message), statusCode: status);

    /// <summary>The whole body, or null when it is longer than the limit: daprd answers that with 500, not 413.</summary>
    public static async Task<byte[]?> BodyAsync(HttpRequest request, long limit)
    {
        if (request.ContentLength > limit) return null;
        using MemoryStream body = new((int)(request.ContentLength ?? 0));
        byte[] buffer = new byte[81920];
        int read;
        while ((read = await request.Body.ReadAsync(buffer, request.HttpContext.RequestAborted)) > 0)
        {
            if (body.Length + read > limit) return null;
            body.Write(buffer, 0, read);
        }
        return body.ToArray();
    }

    public static IResult TooLarge(long limit) => Error(500, "ERR_BODY_READ", $"http: request body too large (limit {limit} bytes)");

    /// <summary>The query's <c>metadata.k=v</c> as k → v.</summary>
    public static Dictionary<string, string> Metadata(HttpRequest request) => request.Query
        .Where(q => q.Key.StartsWith("metadata.", StringComparison.OrdinalIgnoreCase))
        .ToDictionary(q => q.Key["metadata.".Length..], q => q.Value.ToString(), StringComparer.OrdinalIgnoreCase);
}
