using System.Text.RegularExpressions;
using EcoLora.Codec;
using EcoLora.DaprTestKit;
using EcoLora.Federation;
using EcoLora.Hosting;
using EcoLora.Messaging;
using EcoLora.TestKit;

namespace EcoLora.EndToEnd.Tests.Hub;

/// <summary>Who speaks for somebody else is refused, with a reason that the operator sees, and the adapter is the one that it would have been.</summary>
public class HubSignatureTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Forged_replayed_and_foreign_messages_change_nothing_and_a_revoked_site_is_out()
    {
        using var folder = new TemporaryFolder();
        await using HubCluster hub = await HubCluster.StartAsync();
        KeyId hubId = hub.HubKey.Id;
        using var stranger = SigningKey.Create();
        await hub.SubmitAsync(RunFile.Read(RealRun.File(folder), []));
        await Eventually.TrueAsync(async () => await FrameOfAsync(hub, "north") is not null && await FrameOfAsync(hub, "south") is not null, "both sites have sent frames", HubRunTests.Limit);
        byte[] north = (await FrameOfAsync(hub, "north"))!, south = (await FrameOfAsync(hub, "south"))!, payload = north[SignedMessage.HeaderSize..];
        FrameHeader header = Frame.ReadHeader(payload);

        // A frame of north's, said again; by south; for another hub; changed; by a stranger; without a signature.
        byte[] changed = [.. north];
        changed[^1] ^= 1;
        await SayAsync(hub, Topics.Segments, north);
        await SayAsync(hub, Topics.Segments, SignedMessage.Write(Topics.Segments, payload, hub.KeyOf("south"), hubId));
        await SayAsync(hub, Topics.Segments, SignedMessage.Write(Topics.Segments, payload, hub.KeyOf("north"), stranger.Public.Id));
        await SayAsync(hub, Topics.Segments, changed);
        await SayAsync(hub, Topics.Segments, SignedMessage.Write(Topics.Segments, payload, stranger, hubId));
        await SayAsync(hub, Topics.Segments, payload);
        // A frame of another run, which no roster has.
        await SayAsync(hub, Topics.Segments, SignedMessage.Write(Topics.Segments, ForeignFrame(header), hub.KeyOf("north"), hubId));
        // South speaks for a client of north's, for the aggregator, and for the scheduler.
        foreach (ReportMessage report in new ReportMessage[]
        {
            new ClientReport("small", header.Round, header.Client, 0, 1, 0.001), new SegmentReceived("small", header.Round, header.Client, 0, "0", new FrameSizes(1, 1, 1, 1, 1, 1, 1, 1, 1)),
            new TrainerEnrolled("small", "north", 7, [new EnrolledClient(0, 1000, 4)], [new LoraModule("q", 12, 16, 4)], true),
        }) await SayAsync(hub, Topics.Reports, SignedMessage.Write(Topics.Reports, ProtocolJson.Write(report), hub.KeyOf("south"), hubId));
        // And for its own client, with other samples than it enrolled with.
        FrameHeader own = Frame.ReadHeader(south.AsSpan(SignedMessage.HeaderSize));
        await SayAsync(hub, Topics.Reports, SignedMessage.Write(Topics.Reports, ProtocolJson.Write(new ClientReport("small", own.Round, own.Client, 1, 1_000_000, 0.001)), hub.KeyOf("south"), hubId));
        byte[] end = ProtocolJson.Write(new RunFinished("small")), opened = ProtocolJson.Write(new RoundOpened("small", 1, [new Participant(0, 0, 0)], 0.1, 0.1, false));
        await SayAsync(hub, Topics.Rounds, SignedMessage.Write(Topics.Rounds, end, hub.KeyOf("south"), hubId));
        await SayAsync(hub, Topics.Rounds, SignedMessage.Write(Topics.Rounds, opened, hub.KeyOf("south"), hubId));
        // What the hub said on one topic, on another; and a change that it never made.
        await SayAsync(hub, Topics.Global, SignedMessage.Write(Topics.Global, south.AsSpan(SignedMessage.HeaderSize), hub.KeyOf("south"), hubId));

        await RefusedAsync(hub, "aggregator", ("another site's client", 1), ("signature: forged signature", 2), ("signature: unknown key", 1), ("signature: unsigned", 1), ("not the hub's", 2));
        await RefusedAsync(hub, "scheduler", ("another site's client", 1), ("not the hub's", 1), ("another site", 1), ("samples", 1));
        await RefusedAsync(hub, "codec-north", ("signature: unknown key", 3));
        await RefusedAsync(hub, "trainer-south-0", ("signature: unknown key", 2));
        Dictionary<string, long> again = await hub["aggregator"].RefusedAsync();
        Assert.True(again.GetValueOrDefault("repeated") + again.GetValueOrDefault("late") >= 1, "the frame that was said again is counted");
        Assert.True(again.GetValueOrDefault("unknown run") >= 1, "the frame of another run is counted");
        Assert.Contains("refused, 1 so far: signature: forged signature: segments, said to be signed by site north", hub["aggregator"].Output, StringComparison.Ordinal);
        Assert.Contains(changed, await hub.Redis.StreamAsync("segments.dead"));

        await hub.WaitUntilFinishedAsync("small", HubRunTests.Limit);
        Assert.Equal(await RealRun.AdapterAsync(), hub.Adapter("small"));

        // South is out, at once at the scheduler, and takes part again with another token.
        (int code, string output, string error) = await SitesAsync(hub, "revoke", "south");
        Assert.True(code == 0 && output.Contains("revoked", StringComparison.Ordinal), output + error);
        byte[] said = SignedMessage.Write(Topics.Reports, ProtocolJson.Write(new SiteUpdated("small", 1, 1, 1)), hub.KeyOf("south"), hubId);
        await Eventually.TrueAsync(async () =>
        {
            await SayAsync(hub, Topics.Reports, said);
            return (await hub["scheduler"].RefusedAsync()).ContainsKey("signature: revoked key");
        }, "the scheduler believes south no more");
        await hub["codec-south"].KillAsync();
        hub["codec-south"].Settings["ECOLORA_ENROLMENT"] = "of-nobody";
        hub["codec-south"].StartService();
        Assert.Equal(3, await hub["codec-south"].WaitForExitAsync());
        Assert.Contains("site south: expected the token that was given out last", hub["codec-south"].Output, StringComparison.Ordinal);
        (code, output, error) = await SitesAsync(hub, "refusals");
        Assert.True(code == 0, error);
        foreach (string line in new[]
        {
            "^scheduler: 1 refused: enrolment of a site; last .*: site south: expected the token that was given out last and was not used, found another$",
            $"^scheduler: 1 refused: another site's client; last .*: run small, round {header.Round}, client {header.Client}, reports, signed by site south$",
            "^scheduler: 1: samples; last ",
            "^aggregator: 2 refused: signature: forged signature; last .*: segments, said to be signed by site north$",
            $"^aggregator: 1 refused: another site's client; last .*: run small, segment {header.Segment}/{header.Segments} of client {header.Client}, round {header.Round}, base version {header.BaseVersion}, segments, signed by site south$",
            "^aggregator: [0-9]+: unknown run; last ",
        }) Assert.Contains(output.Split('\n'), found => Regex.IsMatch(found, line));
        await hub.AdmitAsync("south");
        hub["codec-south"].StartService();
        await hub["codec-south"].WaitUntilReadyAsync();
        (code, output, error) = await SitesAsync(hub, "sites");
        Assert.True(code == 0, error);
        Assert.Equal(["north  enrolled", "south  enrolled"], output.Split('\n', StringSplitOptions.RemoveEmptyEntries)[1..].Select(line => line[..15]));
    }

    [Theory]
    [InlineData("ECOLORA_KEY", null, "ECOLORA_KEY: expected a private key as PEM (ecolora key), since ECOLORA_SIGNATURES is required, found ''")]
    [InlineData("ECOLORA_KEY", "my secret", "ECOLORA_KEY: expected a private key on P-256 as PEM of PKCS #8, found 'others'")]
    [InlineData("ECOLORA_HUB", null, "ECOLORA_HUB: expected the hub's public key (ecolora admit), since ECOLORA_SIGNATURES is required, found ''")]
    [InlineData("ECOLORA_HUB", "hub", "ECOLORA_HUB: expected the hub's public key (ecolora admit), found 'others'")]
    public async Task Keys_that_cannot_be_used_are_one_line(string variable, string? value, string expected)
    {
        using var folder = new TemporaryFolder();
        await using RedisServer redis = await RedisServer.StartAsync();
        using SidecarResources resources = SidecarResources.OfProduct("redis", redis);
        using var key = SigningKey.Create();
        var settings = new Dictionary<string, string> { ["ECOLORA_SITE"] = "north", ["ECOLORA_VOLUME"] = folder["volume"], ["ECOLORA_KEY"] = key.ToPem(), ["ECOLORA_HUB"] = key.Public.Text };
        if (value is null) settings.Remove(variable);
        else settings[variable] = value;
        await using var app = new HubApp("Codec", "codec-north", resources.Path, settings);
        await app.Sidecar.StartAgainAsync();
        app.StartService();
        Assert.Equal(3, await app.WaitForExitAsync());
        Assert.Equal(expected, app.Output.Trim().Split('\n')[^1]);
    }

    [Fact]
    public async Task Keys_come_from_a_secret_store_too()
    {
        using var folder = new TemporaryFolder();
        await using RedisServer redis = await RedisServer.StartAsync();
        using SidecarResources resources = SidecarResources.OfProduct("redis", redis);
        using var key = SigningKey.Create();
        // The store of the sidecar is its environment, which it has from this process.
        Environment.SetEnvironmentVariable("ecolora-key", key.ToPem());
        Environment.SetEnvironmentVariable("ecolora-hub", key.Public.Text);
        var settings = new Dictionary<string, string> { ["ECOLORA_SITE"] = "north", ["ECOLORA_VOLUME"] = folder["volume"], ["ECOLORA_SECRET_STORE"] = "secretstore" };
        await using var app = new HubApp("Codec", "codec-north", resources.Path, settings);
        await app.Sidecar.StartAgainAsync();
        app.StartService();
        // With the keys in hand it asks the scheduler, which is not there.
        await Eventually.TrueAsync(() => app.Output.Contains($"site north: asking the scheduler to enrol key {key.Public.Id}", StringComparison.Ordinal), "the codec asks to be enrolled");
        Assert.Equal(0, await app.StopAsync());
        Assert.DoesNotContain(key.ToPem().Split('\n')[1], app.Output, StringComparison.Ordinal);
    }

    private static byte[] ForeignFrame(FrameHeader like)
    {
        var layout = LoraLayout.Of([new LoraModule("q", 12, 16, 4)]);
        var header = new FrameHeader(FrameKind.Segment, FrameHeader.KeyOf("another"), like.Round, like.Client, 0, 1, like.BaseVersion, (uint)layout.Fingerprint);
        return FrameEncoder.Encode(header, layout, new float[layout.Length], new Compression(1, 1, ValueMode.Fp16));
    }

    private static Task<(int Code, string Output, string Error)> SitesAsync(HubCluster hub, params string[] arguments) =>
        RealRun.EcoloraAsync(HubApp.PeopleToken, [.. arguments, "--scheduler", $"http://127.0.0.1:{hub["scheduler"].Port}"]);

    /// <summary>A signed frame of one of a site's clients, as it lies on the broker.</summary>
    private static async Task<byte[]?> FrameOfAsync(HubCluster hub, string site) =>
        (await hub.Redis.StreamAsync("segments")).FirstOrDefault(message => SignedMessage.KeyOf(message) == hub.KeyOf(site).Public.Id);

    /// <summary>Puts bytes on a topic, by a sidecar that may.</summary>
    private static Task SayAsync(HubCluster hub, string topic, byte[] bytes) => hub[topic switch
    {
        Topics.Rounds => "scheduler",
        Topics.Global => "aggregator",
        _ => "codec-south",
    }].PublishAsync(topic, bytes);

    private static async Task RefusedAsync(HubCluster hub, string app, params (string Reason, long Count)[] expected)
    {
        foreach ((string reason, long count) in expected)
            await Eventually.TrueAsync(async () => (await hub[app].RefusedAsync()).GetValueOrDefault(reason) == count, $"{app} counts {count} of '{reason}'");
    }
}
