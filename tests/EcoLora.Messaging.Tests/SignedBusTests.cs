namespace EcoLora.Messaging.Tests;

/// <summary>A bus with signatures does what every bus does, and lets nobody be someone else.</summary>
public sealed class SignedBusTests : InProcessConformance
{
    private static readonly SigningKey _hub = SigningKey.Create(), _site = SigningKey.Create(), _revoked = SigningKey.Create(), _stranger = SigningKey.Create();

    public static TheoryData<string, string> Fakes => new()
    {
        { "unsigned", "unsigned" },
        { "short", "unsigned" },
        { "another version", "unsigned" },
        { "a stranger", "unknown key" },
        { "a revoked site", "revoked key" },
        { "a changed payload", "forged signature" },
        { "a longer payload", "forged signature" },
        { "a changed signature", "forged signature" },
        { "no signature", "forged signature" },
        { "another's name", "forged signature" },
        { "another topic", "forged signature" },
        { "another hub", "forged signature" },
    };

    protected override IMessageBus MakeBus() => Signed(_site);

    [Fact]
    public async Task A_handler_is_told_who_has_said_it_and_sees_the_payload_alone()
    {
        var heard = new List<(Signer? Signer, byte[] Payload)>();
        var both = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        Signed(_hub).Subscribe("a", "consumer", (message, _) =>
        {
            heard.Add((message.Signer, message.Payload.ToArray()));
            if (heard.Count == 2) both.TrySetResult();
            return Task.FromResult(Verdict.Success);
        });
        InProcess.Start();
        await Signed(_site).PublishAsync("a", "k", "of the site"u8.ToArray(), Cancellation);
        await Signed(_hub).PublishAsync("a", "k", ReadOnlyMemory<byte>.Empty, Cancellation);
        await both.Task.WaitAsync(Cancellation);
        Assert.Equal([new Signer("north"), Signer.Hub], heard.Select(message => message.Signer));
        Assert.Equal("of the site"u8, heard[0].Payload);
        Assert.Empty(heard[1].Payload);
    }

    [Theory]
    [MemberData(nameof(Fakes))]
    public async Task Nobody_is_someone_else(string fake, string reason)
    {
        ArgumentNullException.ThrowIfNull(fake);
        byte[] payload = "what the site says"u8.ToArray(), genuine = SignedMessage.Write("a", payload, _site, _hub.Public.Id);
        byte[] message = fake switch
        {
            "unsigned" => payload,
            "short" => genuine[..(SignedMessage.HeaderSize - 1)],
            "a stranger" => SignedMessage.Write("a", payload, _stranger, _hub.Public.Id),
            "a revoked site" => SignedMessage.Write("a", payload, _revoked, _hub.Public.Id),
            "another topic" => SignedMessage.Write("b", payload, _site, _hub.Public.Id),
            "another hub" => SignedMessage.Write("a", payload, _site, _stranger.Public.Id),
            "a longer payload" => [.. genuine, 0],
            _ => [.. genuine],
        };
        switch (fake)
        {
            case "another version":
                message[4] = 2;
                break;
            case "a changed payload":
                message[^1] ^= 1;
                break;
            case "a changed signature":
                message[SignedMessage.HeaderSize - 1] ^= 1;
                break;
            case "no signature":
                message.AsSpan(SignedMessage.HeaderSize - 64, 64).Clear();
                break;
            case "another's name":
                _hub.Public.Id.Write(message.AsSpan(8));
                break;
        }
        var refused = new List<string>();
        var end = new TaskCompletionSource<byte[]>(TaskCreationOptions.RunContinuationsAsynchronously);
        var bus = new SignedBus(InProcess, Trust(_hub)) { Refused = new Refusals { Dropped = refusal => refused.Add($"{refusal.Reason}: {refusal.About}") } };
        bus.Subscribe("a", "consumer", (heard, _) =>
        {
            end.TrySetResult(heard.Payload.ToArray());
            return Task.FromResult(Verdict.Success);
        });
        var dead = new TaskCompletionSource<byte[]>(TaskCreationOptions.RunContinuationsAsynchronously);
        InProcess.Subscribe("a.dead", "operator", (letter, _) =>
        {
            dead.TrySetResult(letter.Payload.ToArray());
            return Task.FromResult(Verdict.Success);
        });
        InProcess.Start();
        await InProcess.PublishAsync("a", "k", message, Cancellation);
        await InProcess.PublishAsync("a", "k", genuine, Cancellation);
        Assert.Equal(payload, await end.Task.WaitAsync(Cancellation));
        Assert.Equal(($"signature: {reason}", 1), (bus.Refused.All.Single().Reason, bus.Refused.All.Single().Count));
        Assert.StartsWith($"signature: {reason}: a", refused.Single(), StringComparison.Ordinal);
        Assert.Equal(message, await dead.Task.WaitAsync(Cancellation));
    }

    [Fact]
    public async Task Keys_that_cannot_be_looked_up_now_are_looked_up_later()
    {
        int asked = 0;
        var end = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var bus = new SignedBus(InProcess, Trust(_hub) with
        {
            FindAsync = (id, _) => ++asked == 1 ? throw new IOException("away") : FindAsync(id),
        });
        bus.Subscribe("a", "consumer", (_, _) =>
        {
            end.TrySetResult();
            return Task.FromResult(Verdict.Success);
        });
        InProcess.Start();
        await Signed(_site).PublishAsync("a", "k", new byte[] { 1 }, Cancellation);
        await end.Task.WaitAsync(Cancellation);
        Assert.Equal((2, 0), (asked, bus.Refused.All.Count));
    }

    [Fact]
    public void A_key_comes_back_from_its_text_and_no_other_text_is_one()
    {
        using var read = SigningKey.FromPem(_site.ToPem());
        Assert.Equal(_site.Public, read.Public);
        Assert.Equal(_site.Public, PublicKey.FromText(_site.Public.Text));
        Assert.Equal(124, _site.Public.Text.Length);
        Assert.NotEqual(_site.Public.Id, _hub.Public.Id);
        using var curve = System.Security.Cryptography.ECDsa.Create(System.Security.Cryptography.ECCurve.NamedCurves.nistP384);
        using var publicOnly = System.Security.Cryptography.ECDsa.Create(System.Security.Cryptography.ECCurve.NamedCurves.nistP256);
        foreach (string pem in new[] { "", "key", curve.ExportPkcs8PrivateKeyPem(), publicOnly.ExportSubjectPublicKeyInfoPem(), _site.ToPem()[..100] })
        {
            FormatException refusal = Assert.Throws<FormatException>(() => SigningKey.FromPem(pem));
            Assert.Equal("expected a private key on P-256 as PEM of PKCS #8, found others", refusal.Message);
        }
        byte[] offCurve = Convert.FromBase64String(_site.Public.Text);
        offCurve[^1] ^= 1;
        foreach (string text in new[] { "", "key", new string('A', 124), Convert.ToBase64String(curve.ExportSubjectPublicKeyInfo()), Convert.ToBase64String(offCurve) })
            Assert.Throws<FormatException>(() => PublicKey.FromText(text));
    }

    private SignedBus Signed(SigningKey key) => new(InProcess, Trust(key));

    private static BusTrust Trust(SigningKey key) => new(key, _hub.Public, (id, _) => FindAsync(id));

    private static ValueTask<KnownKey?> FindAsync(KeyId id) => ValueTask.FromResult(
        id == _hub.Public.Id ? new KnownKey(_hub.Public, Signer.Hub)
        : id == _site.Public.Id ? new KnownKey(_site.Public, new Signer("north"))
        : id == _revoked.Public.Id ? new KnownKey(_revoked.Public, new Signer("south"), IsRevoked: true)
        : null);
}
