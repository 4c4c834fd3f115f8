using System.Globalization;
using System.Net;
using System.Runtime.InteropServices;
using EcoLora.Federation;
using EcoLora.Hosting;
using EcoLora.Messaging;
using EcoLora.Numerics;

namespace EcoLora.Services.Trainer;

/// <summary>The site's codec as an app of its own, asked by service invocation in pieces that every sidecar passes on.</summary>
/// <param name="invoker">Calls the codec.</param>
/// <param name="app">App id of the codec.</param>
public sealed class InvokedSiteCodec(IInvoker invoker, string app) : ISiteCodec
{
    /// <summary>Most times that an adapter is handed over: a codec forgets one when it starts again, not each time.</summary>
    private const int MostUploads = 5;

    /// <inheritdoc/>
    /// <exception cref="CallException">The codec cannot be reached within the invoker's patience, or refuses.</exception>
    public async Task<ReadOnlyMemory<float>> GetPublishedAsync(string run, int version, int? client, CancellationToken cancellation)
    {
        while (true)
        {
            (HttpStatusCode code, byte[] content) = await ChunkedContent.ReadAsync(
                invoker, app, InvocationPaths.Published(run, version, client), cancellation, HttpStatusCode.Accepted, HttpStatusCode.Gone);
            if (code == HttpStatusCode.Gone) throw new VersionPassedException(run, version, version + 1);
            // The codec holds the call while it waits, so asking again is no busy loop.
            if (code == HttpStatusCode.OK) return MemoryMarshal.Cast<byte, float>(content).ToArray();
        }
    }

    /// <inheritdoc/>
    /// <exception cref="CallException">As above.</exception>
    public async Task SubmitAsync(string run, LocalUpdate update, CancellationToken cancellation)
    {
        string path = InvocationPaths.Update(run, update.Round, update.Client);
        byte[] bytes = MemoryMarshal.AsBytes(update.Adapter.Span).ToArray();
        string submission = string.Create(CultureInfo.InvariantCulture, $"{path}?mixing={update.MixingWeight:R}&crc={Crc32C.Of(bytes)}");
        HttpStatusCode code = HttpStatusCode.Conflict;
        for (int uploads = 0; ;)
        {
            if (code == HttpStatusCode.Conflict)
            {
                if (++uploads > MostUploads) throw new CallException(app, submission, $"409 after {MostUploads} uploads of {bytes.Length} bytes");
                code = await UploadAsync(path, bytes, cancellation);
            }
            if (code is HttpStatusCode.NoContent or HttpStatusCode.Accepted) code = await SendAsync(HttpMethod.Post, submission, null, cancellation);
            if (code == HttpStatusCode.NoContent) return;
            if (code == HttpStatusCode.Gone) throw new VersionPassedException(run, update.Round, update.Round + 1);
        }
    }

    /// <summary>Hands all pieces over, in order.</summary>
    /// <returns>204 when they are there; 409 when the codec forgot the earlier ones; 410 when the round is over.</returns>
    private async Task<HttpStatusCode> UploadAsync(string path, byte[] bytes, CancellationToken cancellation)
    {
        for (int offset = 0; offset < bytes.Length;)
        {
            ReadOnlyMemory<byte> piece = bytes.AsMemory(offset, Math.Min(ChunkedContent.PieceSize, bytes.Length - offset));
            HttpStatusCode code = await SendAsync(HttpMethod.Put, string.Create(CultureInfo.InvariantCulture, $"{path}?offset={offset}"), piece, cancellation);
            if (code is HttpStatusCode.Conflict or HttpStatusCode.Gone) return code;
            if (code == HttpStatusCode.NoContent) offset += piece.Length;
        }
        return HttpStatusCode.NoContent;
    }

    private async Task<HttpStatusCode> SendAsync(HttpMethod method, string path, ReadOnlyMemory<byte>? body, CancellationToken cancellation)
    {
        using HttpResponseMessage response =
            await invoker.InvokeAsync(method, app, path, body, cancellation, HttpStatusCode.Accepted, HttpStatusCode.Conflict, HttpStatusCode.Gone);
        return response.StatusCode;
    }
}
