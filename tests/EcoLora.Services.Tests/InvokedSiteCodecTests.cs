using System.Net;
using EcoLora.Federation;
using EcoLora.Hosting;
using EcoLora.Messaging;

namespace EcoLora.Services.Tests;

/// <summary>A trainer that asks its site's codec by invocation gets what it would get in one process.</summary>
public sealed class InvokedSiteCodecTests : IAsyncLifetime
{
    private InvokedSite? _site;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    private InvokedSite Site => _site!;

    public async ValueTask InitializeAsync() => _site = await InvokedSite.StartAsync();

    public ValueTask DisposeAsync() => Site.DisposeAsync();

    [Fact]
    public async Task A_published_vector_of_several_pieces_is_equal_bit_by_bit()
    {
        await Site.SayAsync(MadeUpSite.Opened);
        ReadOnlyMemory<float> read = await Site.Trainer.GetPublishedAsync("run-1", 0, null, Cancellation);
        Assert.True(read.Length * sizeof(float) > ChunkedContent.PieceSize);
        Assert.Equal(MadeUpSite.Initial.Select(BitConverter.SingleToInt32Bits), read.ToArray().Select(BitConverter.SingleToInt32Bits));
        Assert.Equal(["GET 200", "GET 200"], Site.Log);
    }

    [Fact]
    public async Task A_version_that_is_not_there_yet_is_waited_for_also_before_the_run_is_open()
    {
        bool hasWaited = false;
        Site.Before = request =>
        {
            // What the codec answers when its patience ends.
            bool isFirst = !hasWaited && request.RequestUri!.AbsolutePath.EndsWith("/published/1", StringComparison.Ordinal);
            hasWaited |= isFirst;
            return Task.FromResult<HttpStatusCode?>(isFirst ? HttpStatusCode.Accepted : null);
        };
        Task<ReadOnlyMemory<float>> next = Site.Trainer.GetPublishedAsync("run-1", 1, null, Cancellation), first = Site.Trainer.GetPublishedAsync("run-1", 0, null, Cancellation);
        await Site.SayAsync(MadeUpSite.Opened);
        Assert.Equal(MadeUpSite.Initial, (await first).ToArray());
        Assert.False(next.IsCompleted);
        await Site.PublishNextAsync();
        Assert.Equal(MadeUpSite.Next(), (await next).ToArray());
        Assert.True(hasWaited);
    }

    [Fact]
    public async Task A_version_that_has_passed_is_told_also_between_two_pieces()
    {
        await Site.SayAsync(MadeUpSite.Opened);
        await Site.Codec.GetPublishedAsync("run-1", 0, null, Cancellation);
        Site.Before = async request =>
        {
            if (request.RequestUri!.Query == $"?offset={ChunkedContent.PieceSize}") await Site.PublishNextAsync();
            return null;
        };
        await Assert.ThrowsAsync<VersionPassedException>(() => Site.Trainer.GetPublishedAsync("run-1", 0, null, Cancellation));
        Assert.Equal(["GET 200", "GET 410"], Site.Log);
        await Assert.ThrowsAsync<VersionPassedException>(() => Site.Trainer.GetPublishedAsync("run-1", 0, null, Cancellation));
        await Assert.ThrowsAsync<VersionPassedException>(() => Site.Trainer.SubmitAsync("run-1", MadeUpSite.Update, Cancellation));
    }

    [Fact]
    public async Task A_submitted_adapter_becomes_the_frame_that_the_codec_would_make_of_it_beside_the_trainer()
    {
        await OpenRoundAsync();
        await Site.Trainer.SubmitAsync("run-1", MadeUpSite.Update, Cancellation);
        Assert.Equal(MadeUpSite.Frame(), await Site.FrameAsync());
        Assert.Equal(["PUT 204", "PUT 204", "POST 204"], Site.Log);
        // Again, as after a crash of the trainer: the pieces were forgotten, the frame is the same.
        await Site.Trainer.SubmitAsync("run-1", MadeUpSite.Update, Cancellation);
        Assert.Equal(MadeUpSite.Frame(), await Site.FrameAsync());
    }

    [Fact]
    public async Task A_submission_waits_for_the_round_to_open()
    {
        Task submission = Site.Trainer.SubmitAsync("run-1", MadeUpSite.Update, Cancellation);
        await Site.SayAsync(MadeUpSite.Opened);
        await Site.Codec.GetPublishedAsync("run-1", 0, null, Cancellation);
        Assert.False(submission.IsCompleted);
        await Site.SayAsync(MadeUpSite.Round);
        await submission;
        Assert.Equal(MadeUpSite.Frame(), await Site.FrameAsync());
    }

    [Theory]
    [InlineData("PUT", "204 409 204 204 204")] // Between two pieces.
    [InlineData("POST", "204 204 409 204 204 204")] // Before they are handed in.
    public async Task An_upload_that_the_codec_forgot_is_begun_anew(string at, string answers)
    {
        await OpenRoundAsync();
        bool isRestarted = false;
        Site.Before = async request =>
        {
            if (!isRestarted && request.Method.Method == at && request.RequestUri!.Query != "?offset=0")
            {
                isRestarted = true;
                await Site.RestartAsync();
            }
            return null;
        };
        await Site.Trainer.SubmitAsync("run-1", MadeUpSite.Update, Cancellation);
        Assert.Equal(MadeUpSite.Frame(), await Site.FrameAsync());
        Assert.Equal(answers, string.Join(' ', Site.Log.Select(line => line[^3..])));
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(1)]
    public async Task An_adapter_of_another_length_is_not_handed_over_for_ever(int more)
    {
        await OpenRoundAsync();
        LocalUpdate other = MadeUpSite.Update with { Adapter = new float[MadeUpSite.Layout.Length + more] };
        var refused = await Assert.ThrowsAsync<CallException>(() => Site.Trainer.SubmitAsync("run-1", other, Cancellation));
        Assert.EndsWith($"found 409 after 5 uploads of {other.Adapter.Length * sizeof(float)} bytes", refused.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(2)] // At the site, but not sampled.
    [InlineData(3)] // At another site.
    [InlineData(99)]
    [InlineData(-1)]
    public async Task A_client_that_takes_no_part_is_refused(int client)
    {
        await OpenRoundAsync();
        var refused = await Assert.ThrowsAsync<CallException>(() => Site.Trainer.SubmitAsync("run-1", MadeUpSite.Update with { Client = client }, Cancellation));
        Assert.Contains($"400 client {client}: expected a participant of round 0 at this site", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_weight_that_is_none_and_a_run_with_no_name_are_refused()
    {
        await OpenRoundAsync();
        foreach (double weight in new[] { -0.1, 1.1, double.NaN, double.PositiveInfinity })
            await Assert.ThrowsAsync<CallException>(() => Site.Trainer.SubmitAsync("run-1", MadeUpSite.Update with { MixingWeight = weight }, Cancellation));
        var refused = await Assert.ThrowsAsync<CallException>(() => Site.Trainer.GetPublishedAsync("Run_1", 0, null, Cancellation));
        Assert.Contains("400 run: expected 1 to 63 of a-z, 0-9 and -, found 'Run_1'", refused.Message, StringComparison.Ordinal);
    }

    private async Task OpenRoundAsync()
    {
        await Site.SayAsync(MadeUpSite.Opened);
        await Site.SayAsync(MadeUpSite.Round);
    }
}
