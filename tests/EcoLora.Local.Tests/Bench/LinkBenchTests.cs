using System.Net;
using System.Text.Json.Nodes;
using EcoLora.Local.Bench;
using EcoLora.Telemetry;
using EcoLora.TestKit;

namespace EcoLora.Local.Tests.Bench;

public sealed class LinkBenchTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Frames_are_those_of_the_codec_at_each_size_and_equal_at_both_ends()
    {
        string updates = MadeUpRun.KeepUpdates(_folder["updates"], 3);
        int length = MadeUpRun.Layout.Length;
        IReadOnlyList<LinkFrame> frames = LinkFrames.Make(updates, [length, 3 * length]);
        Assert.Equal(["ecolora", "dense-fp16", "dense-fp32", "ecolora", "dense-fp16", "dense-fp32"], frames.Select(frame => frame.Exchange));
        Assert.Equal([length, length, length, 3 * length, 3 * length, 3 * length], frames.Select(frame => frame.Entries));
        Assert.InRange(frames[4].Bytes.Length, 2 * 3 * length, (2 * 3 * length) + 1000);
        Assert.InRange(frames[5].Bytes.Length, 4 * 3 * length, (4 * 3 * length) + 1000);
        Assert.True(frames[3].Bytes.Length < frames[4].Bytes.Length);
        Assert.Equal(frames.Select(frame => Convert.ToHexString(frame.Bytes)), LinkFrames.Make(updates, [length, 3 * length]).Select(frame => Convert.ToHexString(frame.Bytes)));
    }

    [Fact]
    public async Task Both_ends_exchange_every_frame_and_the_site_has_a_time_for_each_way()
    {
        LinkFrame[] frames = [new("ecolora", 1, new byte[3000]), new("dense-fp16", 1, new byte[200_000])];
        IReadOnlyList<LinkMeasurement> found = await ExchangeAsync(frames, frames);
        Assert.Equal([(3000, true), (3000, false), (200_000, true), (200_000, false)], found.Select(each => (each.Frame.Bytes.Length, each.IsUp)));
        Assert.All(found, each => Assert.True(each.Seconds > 0));
    }

    [Fact]
    public async Task Ends_with_different_frames_are_refused()
    {
        var fault = await Assert.ThrowsAsync<InvalidDataException>(() => ExchangeAsync([new("ecolora", 1, new byte[3000])], [new("ecolora", 1, new byte[3001])]));
        Assert.Contains("expected a frame of 3000 bytes, found 3001", fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void The_table_sets_measured_beside_modelled_and_counted_beside_stated()
    {
        // 1432 + 16 bytes are one packet of 1500: 50 ms + 8·1500/(0.2·10^6) = 0.11 s.
        var row = new LinkRow(new Link(0.2, 1, 50), true, "ecolora", 1432, 0.121, 1515, 52);
        Assert.Equal(row, LinkRow.Of(row.ToJson()));
        File.WriteAllText(_folder["rows.json"], new JsonArray(row.ToJson()).ToJsonString());
        string text = Ecolora.Succeed("bench", "links", "table", "--rows", _folder["rows.json"], "--out", _folder["out"]);
        string line = text.Split('\n').Single(each => each.StartsWith("0.2/1", StringComparison.Ordinal));
        Assert.Equal(["0.2/1", "up", "ecolora", "1432", "0.121", "0.110", "1.100", "1515", "1500", "1.00%", "52"], line.Split(' ', StringSplitOptions.RemoveEmptyEntries));
        Assert.Contains("| 0.2/1 | up | ecolora | 1432 |", File.ReadAllText(_folder["out/links.md"]), StringComparison.Ordinal);
        Assert.Equal(0.11, (double)JsonNode.Parse(File.ReadAllText(_folder["out/links.json"]))!["rows"]![0]!["model_s"]!, 6);
    }

    [Theory]
    [InlineData("hub", "--listen: expected IP:PORT, found ''")]
    [InlineData("site", "--link: expected a link, found none")]
    public void What_is_missing_is_named(string end, string message)
    {
        Outcome outcome = Ecolora.Run("bench", "links", end, "--updates", MadeUpRun.KeepUpdates(_folder["updates"], 1));
        Assert.Equal(ExitCodes.BadInput, outcome.Code);
        Assert.Contains(message, outcome.Error, StringComparison.Ordinal);
    }

    private static async Task<IReadOnlyList<LinkMeasurement>> ExchangeAsync(LinkFrame[] hubs, LinkFrame[] sites)
    {
        using LinkListener listener = LinkListener.At(new IPEndPoint(IPAddress.Loopback, 0));
        Task hub = Task.Run(() =>
        {
            using LinkEnd end = listener.Accept(TimeSpan.Zero);
            end.ServeHub(hubs);
        });
        Task<LinkMeasurement[]> site = Task.Run(() =>
        {
            using LinkEnd end = LinkEnd.Connect(listener.Place, TimeSpan.Zero);
            return end.MeasureSite(sites).ToArray();
        });
        Task first = await Task.WhenAny(hub, site);
        await first;
        await hub;
        return await site;
    }
}
