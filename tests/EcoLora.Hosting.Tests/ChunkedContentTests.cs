using System.Globalization;
using System.Net;
using EcoLora.Messaging;
using EcoLora.Messaging.Dapr;
using EcoLora.Numerics;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;

namespace EcoLora.Hosting.Tests;

public sealed class ChunkedContentTests
{
    private const int Whole = ChunkedContent.PieceSize;

    private readonly List<string> _asked = [];

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(1, 1)]
    [InlineData(Whole - 1, 1)]
    [InlineData(Whole, 1)]
    [InlineData(Whole + 1, 2)]
    [InlineData(2 * Whole, 2)]
    [InlineData(3 * Whole + 5, 4)]
    public async Task A_content_of_any_size_comes_whole_in_as_few_pieces_as_there_can_be(int length, int pieces)
    {
        var random = new RandomStream(1, "content", length);
        byte[] content = [.. Enumerable.Range(0, length).Select(_ => (byte)random.NextUInt64())];
        (HttpStatusCode code, byte[] read) = await ReadAsync(offset => AnswerAsync(content, offset));
        Assert.Equal(HttpStatusCode.OK, code);
        Assert.Equal(content, read);
        Assert.Equal(Enumerable.Range(0, pieces).Select(i => $"/v1.0/invoke/app/method/some/path?offset={(long)i * Whole}"), _asked);
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(10)]
    [InlineData(int.MaxValue)]
    [InlineData(int.MinValue)]
    public async Task An_offset_outside_the_content_is_refused(int offset)
    {
        using HttpResponseMessage answer = await AnswerAsync(new byte[10], offset);
        Assert.Equal(HttpStatusCode.BadRequest, answer.StatusCode);
        Assert.Equal($"offset: expected 0 to 9, found {offset}", await answer.Content.ReadAsStringAsync(Cancellation));
    }

    [Theory]
    [InlineData(0, "5")]
    [InlineData(0, "0")]
    [InlineData(5, null)]
    [InlineData(5, "")]
    [InlineData(5, "4")]
    [InlineData(5, "-5")]
    [InlineData(5, "5.0")]
    [InlineData(5, "2147483648")]
    [InlineData(Whole + 1, "9999999")]
    public async Task A_piece_that_does_not_fit_its_length_is_refused(int piece, string? length)
    {
        var refused = await Assert.ThrowsAsync<CallException>(() => ReadAsync(_ => Task.FromResult(Answer(new byte[piece], length))));
        Assert.Equal($"app: expected some/path?offset=0 to be taken, found a piece of {piece} bytes of '{length}'", refused.Message);
    }

    [Theory]
    [InlineData(0, "8")] // An end that never comes.
    [InlineData(4, "8")] // More than there is.
    [InlineData(3, "4")] // A length that shrinks.
    public async Task A_later_piece_that_does_not_fit_is_refused(int second, string length)
    {
        var refused = await Assert.ThrowsAsync<CallException>(() =>
            ReadAsync(offset => Task.FromResult(offset == 0 ? Answer(new byte[5], "8") : Answer(new byte[second], length))));
        Assert.Equal($"app: expected some/path?offset=5 to be taken, found a piece of {second} bytes of '{length}'", refused.Message);
        Assert.Equal(2, _asked.Count);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(5)]
    public async Task A_code_that_is_an_answer_is_the_outcome_at_whichever_piece_it_comes(int at)
    {
        (HttpStatusCode code, byte[] content) = await ReadAsync(
            offset => Task.FromResult(offset == at ? new HttpResponseMessage(HttpStatusCode.Gone) : Answer(new byte[5], "8")), HttpStatusCode.Gone);
        Assert.Equal(HttpStatusCode.Gone, code);
        Assert.Empty(content);
    }

    [Fact]
    public async Task A_refusal_is_told_at_once_and_a_failure_when_patience_ends()
    {
        await Assert.ThrowsAsync<CallException>(() => ReadAsync(_ => Task.FromResult(new HttpResponseMessage(HttpStatusCode.NotFound))));
        Assert.Single(_asked);
        // Gone is no answer to a caller who does not expect it.
        await Assert.ThrowsAsync<CallException>(() => ReadAsync(_ => Task.FromResult(new HttpResponseMessage(HttpStatusCode.Gone))));
        Assert.True(_asked.Count > 2, "tried once only");
    }

    [Fact]
    public async Task A_piece_that_failed_is_asked_for_again()
    {
        bool hasFailed = false;
        (HttpStatusCode code, byte[] content) = await ReadAsync(offset =>
        {
            bool fails = offset == 5 && !hasFailed;
            hasFailed |= fails;
            return Task.FromResult(fails ? new HttpResponseMessage(HttpStatusCode.InternalServerError) : Answer(offset == 0 ? [1, 2, 3, 4, 5] : [6], "6"));
        });
        Assert.Equal(HttpStatusCode.OK, code);
        Assert.Equal<byte>([1, 2, 3, 4, 5, 6], content);
        Assert.Equal(3, _asked.Count);
    }

    private async Task<(HttpStatusCode Code, byte[] Content)> ReadAsync(Func<int, Task<HttpResponseMessage>> answer, params HttpStatusCode[] expected)
    {
        using var sidecar = new SidecarClient(new DaprOptions(new Uri("http://sidecar")) { Patience = TimeSpan.FromMilliseconds(200) }, new Stub(_asked, answer));
        return await ChunkedContent.ReadAsync(sidecar, "app", "some/path", Cancellation, expected);
    }

    /// <summary>What an app with that content answers.</summary>
    private static async Task<HttpResponseMessage> AnswerAsync(byte[] content, int offset)
    {
        await using ServiceProvider services = new ServiceCollection().AddLogging().BuildServiceProvider();
        var body = new MemoryStream();
        var context = new DefaultHttpContext { RequestServices = services, Response = { Body = body } };
        await ChunkedContent.Piece(context, content, offset).ExecuteAsync(context);
        HttpResponseMessage answer = Answer(body.ToArray(), context.Response.Headers[ChunkedContent.LengthHeader]);
        answer.StatusCode = (HttpStatusCode)context.Response.StatusCode;
        return answer;
    }

    private static HttpResponseMessage Answer(byte[] piece, string? length)
    {
        var answer = new HttpResponseMessage(HttpStatusCode.OK) { Content = new ByteArrayContent(piece) };
        if (length is not null) answer.Headers.TryAddWithoutValidation(ChunkedContent.LengthHeader, length);
        return answer;
    }

    /// <summary>A sidecar that answers as it is told.</summary>
    private sealed class Stub(List<string> asked, Func<int, Task<HttpResponseMessage>> answer) : HttpMessageHandler
    {
        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            asked.Add(request.RequestUri!.PathAndQuery);
            return answer(int.Parse(request.RequestUri.Query["?offset=".Length..], CultureInfo.InvariantCulture));
        }
    }
}
