using System.Runtime.InteropServices;
using EcoLora.Federation;
using EcoLora.Hosting;
using EcoLora.Numerics;

namespace EcoLora.Services.Codec;

/// <summary>
/// What the site's trainers ask by service invocation; dense numbers cross nothing else. 202 means: not yet, ask again; 410: the round is over; 409: begin the
/// upload anew.
/// </summary>
/// <param name="codec">The codec.</param>
internal sealed class SiteApi(CodecService codec)
{
    private static readonly TimeSpan _patience = TimeSpan.FromSeconds(5);

    private readonly UpdateUploads _uploads = new();

    /// <summary>Maps the paths of <see cref="InvocationPaths"/>.</summary>
    public void Map(IEndpointRouteBuilder endpoints)
    {
        endpoints.MapGet("/site/runs/{run}/published/{version:int}", (HttpContext context, string run, int version, int offset) => ReadAsync(context, run, version, null, offset));
        endpoints.MapGet("/site/runs/{run}/published/{version:int}/{client:int}", ReadAsync);
        endpoints.MapPut("/site/runs/{run}/updates/{round:int}/{client:int}", WriteAsync);
        endpoints.MapPost("/site/runs/{run}/updates/{round:int}/{client:int}", SubmitAsync);
    }

    /// <summary>A piece of Q^version, for a participant or an evaluation.</summary>
    private Task<IResult> ReadAsync(HttpContext context, string run, int version, int? client, int offset) => AnswerAsync(context, run, async waiting =>
    {
        int length = (await codec.GetRunAsync(run, waiting)).PublishedLength, start = offset / sizeof(float);
        if (offset % sizeof(float) != 0 || start < 0 || start >= length) return Answers.Bad($"offset: expected a whole float of {length}, found byte {offset}");
        int count = Math.Min(ChunkedContent.PieceSize / sizeof(float), length - start);
        float[] piece = await codec.ReadPublishedAsync(run, version, client, start..(start + count), waiting);
        return ChunkedContent.Piece(context, MemoryMarshal.AsBytes(piece.AsSpan()).ToArray(), (long)length * sizeof(float));
    });

    /// <summary>Takes a piece of a participant's adapter.</summary>
    private Task<IResult> WriteAsync(HttpContext context, string run, int round, int client, int offset) => AnswerAsync(context, run, async waiting =>
    {
        SiteRun site = await codec.GetRunAsync(run, waiting);
        if (await site.IsParticipantAsync(round, client, waiting) is not { } isParticipant) return Results.Accepted();
        if (!isParticipant) return Answers.Bad($"client {client}: expected a participant of round {round} at this site");
        if (context.Request.ContentLength is not { } size || size is < 1 or > ChunkedContent.PieceSize)
            return Answers.Bad($"piece: expected 1 to {ChunkedContent.PieceSize} bytes, found {context.Request.ContentLength}");
        byte[] piece = new byte[size];
        await context.Request.Body.ReadExactlyAsync(piece, context.RequestAborted);
        return _uploads.Add(run, round, client, site.LayoutOf(client).Length, offset, piece) ? Results.NoContent() : Results.Conflict();
    });

    /// <summary>Encodes and publishes an adapter whose pieces are here; the crc over all of them shows that they are the caller's.</summary>
    private Task<IResult> SubmitAsync(HttpContext context, string run, int round, int client, double mixing, uint crc) => AnswerAsync(context, run, async waiting =>
    {
        if (!(mixing is >= 0 and <= 1)) return Answers.Bad($"mixing: expected 0 to 1, found {mixing}");
        SiteRun site = await codec.GetRunAsync(run, waiting);
        if (!site.Hosts(client)) return Answers.Bad($"client {client}: expected a client of this site");
        if (_uploads.Whole(run, round, client) is not { } adapter || Crc32C.Of(MemoryMarshal.AsBytes(adapter.AsSpan())) != crc) return Results.Conflict();
        await codec.SubmitAsync(run, new LocalUpdate(round, client, mixing, adapter), waiting);
        _uploads.Forget(run, round, client);
        return Results.NoContent();
    });

    /// <summary>Waits a while for what is to come; a caller asks again rather than hold a connection for a round.</summary>
    private static async Task<IResult> AnswerAsync(HttpContext context, string run, Func<CancellationToken, Task<IResult>> answer)
    {
        if (!RunPlan.IsName(run)) return Answers.Bad($"run: expected {RunPlan.NameRule}, found '{run}'");
        using var waiting = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted);
        waiting.CancelAfter(_patience);
        try
        {
            return await answer(waiting.Token);
        }
        catch (OperationCanceledException) when (!context.RequestAborted.IsCancellationRequested)
        {
            return Results.Accepted();
        }
        catch (VersionPassedException passed)
        {
            return Results.Text(passed.Message, statusCode: StatusCodes.Status410Gone);
        }
    }
}
