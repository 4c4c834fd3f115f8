using System.Globalization;
using System.Net;
using EcoLora.Messaging;
using Microsoft.AspNetCore.Http;

namespace EcoLora.Hosting;

/// <summary>
/// Content that is larger than a sidecar passes on in one call: the caller asks for it piece by piece, from a byte on, until it has the length that each answer
/// tells. The content behind a path never changes.
/// </summary>
public static class ChunkedContent
{
    /// <summary>Most bytes of one piece: 900 KiB, a whole number of floats, and below every default limit.</summary>
    public const int PieceSize = 900 * 1024;

    /// <summary>Header with the length of the whole content in bytes.</summary>
    public const string LengthHeader = "ecolora-length";

    /// <summary>The answer with the piece of a content that begins at a byte.</summary>
    public static IResult Piece(HttpContext context, ReadOnlyMemory<byte> content, int offset) =>
        offset < 0 || offset >= content.Length
            ? Answers.Bad($"offset: expected 0 to {content.Length - 1}, found {offset}")
            : Piece(context, content.Slice(offset, Math.Min(PieceSize, content.Length - offset)), (long)content.Length);

    /// <summary>The answer with the piece of a file that begins at a byte.</summary>
    public static IResult Piece(HttpContext context, string file, int offset)
    {
        using FileStream stream = File.OpenRead(file);
        if (offset < 0 || offset >= stream.Length) return Answers.Bad($"offset: expected 0 to {stream.Length - 1}, found {offset}");
        byte[] piece = new byte[Math.Min(PieceSize, stream.Length - offset)];
        stream.Position = offset;
        stream.ReadExactly(piece);
        return Piece(context, piece, stream.Length);
    }

    /// <summary>The answer with one piece of a content of that length.</summary>
    public static IResult Piece(HttpContext context, ReadOnlyMemory<byte> piece, long length)
    {
        context.Response.Headers[LengthHeader] = length.ToString(CultureInfo.InvariantCulture);
        return Results.Bytes(piece, "application/octet-stream");
    }

    /// <summary>Reads a whole content by invocation.</summary>
    /// <param name="invoker">Calls the app.</param>
    /// <param name="app">The app that has it.</param>
    /// <param name="path">Its path, without a query.</param>
    /// <param name="cancellation">Ends it.</param>
    /// <param name="expected">Codes other than 200 that are answers: the first one that comes is the outcome.</param>
    /// <returns>200 and the content, or another code and nothing.</returns>
    /// <exception cref="CallException">The app cannot be reached, refuses, or its pieces do not make a whole.</exception>
    public static async Task<(HttpStatusCode Code, byte[] Content)> ReadAsync(
        IInvoker invoker, string app, string path, CancellationToken cancellation, params HttpStatusCode[] expected)
    {
        using var content = new MemoryStream();
        HttpStatusCode code = await CopyAsync(invoker, app, path, content, _ => { }, cancellation, expected);
        return (code, code == HttpStatusCode.OK ? content.ToArray() : []);
    }

    /// <summary>As above, piece by piece into a stream.</summary>
    /// <param name="invoker">Calls the app.</param>
    /// <param name="app">The app that has it.</param>
    /// <param name="path">Its path, without a query.</param>
    /// <param name="target">Where it goes; it holds a part of the content unless 200 is returned.</param>
    /// <param name="begin">Is told the length before the first byte is written.</param>
    /// <param name="cancellation">Ends it.</param>
    /// <param name="expected">Codes other than 200 that are answers: the first one that comes is the outcome.</param>
    /// <exception cref="CallException">As above; what was written may be a part.</exception>
    public static async Task<HttpStatusCode> CopyAsync(
        IInvoker invoker, string app, string path, Stream target, Action<int> begin, CancellationToken cancellation, params HttpStatusCode[] expected)
    {
        for (int offset = 0, whole = 0; ;)
        {
            string piece = string.Create(CultureInfo.InvariantCulture, $"{path}?offset={offset}");
            using HttpResponseMessage response = await invoker.InvokeAsync(HttpMethod.Get, app, piece, null, cancellation, expected);
            if (response.StatusCode != HttpStatusCode.OK) return response.StatusCode;
            byte[] bytes = await response.Content.ReadAsByteArrayAsync(cancellation);
            string? stated = response.Headers.TryGetValues(LengthHeader, out IEnumerable<string>? values) ? values.First() : null;
            bool isLength = int.TryParse(stated, NumberStyles.None, CultureInfo.InvariantCulture, out int length) && (offset == 0 || length == whole);
            if (!isLength || bytes.Length == 0 || bytes.Length > PieceSize || offset + bytes.Length > length)
                throw new CallException(app, piece, $"a piece of {bytes.Length} bytes of '{stated}'");
            if (offset == 0) begin(whole = length);
            await target.WriteAsync(bytes, cancellation);
            offset += bytes.Length;
            if (offset == whole) return HttpStatusCode.OK;
        }
    }
}
