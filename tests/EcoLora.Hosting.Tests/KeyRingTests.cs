using EcoLora.Messaging;

namespace EcoLora.Hosting.Tests;

public sealed class KeyRingTests : IDisposable
{
    private readonly SigningKey _hub = SigningKey.Create(), _site = SigningKey.Create(), _stranger = SigningKey.Create();
    private readonly Clock _clock = new();
    private readonly List<SiteKey> _sites = [];
    private int _reads;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public void Dispose()
    {
        foreach (SigningKey key in new[] { _hub, _site, _stranger }) key.Dispose();
    }

    [Fact]
    public async Task Strangers_cost_no_reading_and_a_revoked_key_is_known_as_such_soon()
    {
        _sites.Add(new SiteKey("north", _site.Public.Text, false));
        using var ring = new KeyRing(_hub.Public, ReadAsync, _clock);
        Assert.Equal(Signer.Hub, (await ring.FindAsync(_hub.Public.Id, Cancellation))!.Signer);
        Assert.Equal(0, _reads);
        for (int i = 0; i < 100; i++) Assert.Null(await ring.FindAsync(_stranger.Public.Id, Cancellation));
        Assert.Equal((new Signer("north"), 1), ((await ring.FindAsync(_site.Public.Id, Cancellation))!.Signer, _reads));
        _sites[0] = _sites[0] with { IsRevoked = true };
        _clock.Now += KeyRing.Age;
        Assert.True((await ring.FindAsync(_site.Public.Id, Cancellation))!.IsRevoked);
        Assert.Equal(2, _reads);
    }

    [Fact]
    public async Task While_the_keys_cannot_be_read_nobody_is_believed_longer()
    {
        _sites.Add(new SiteKey("north", _site.Public.Text, false));
        bool isAway = false;
        using var ring = new KeyRing(_hub.Public, cancellation => isAway ? throw new IOException("away") : ReadAsync(cancellation), _clock);
        Assert.NotNull(await ring.FindAsync(_site.Public.Id, Cancellation));
        (isAway, _clock.Now) = (true, KeyRing.Age);
        await Assert.ThrowsAsync<IOException>(async () => await ring.FindAsync(_site.Public.Id, Cancellation));
        Assert.NotNull(await ring.FindAsync(_hub.Public.Id, Cancellation));
        isAway = false;
        Assert.NotNull(await ring.FindAsync(_site.Public.Id, Cancellation));
    }

    [Fact]
    public async Task A_site_believes_the_hub_alone()
    {
        using var ring = new KeyRing(_hub.Public, null, _clock);
        Assert.Equal(_hub.Public, (await ring.FindAsync(_hub.Public.Id, Cancellation))!.Key);
        Assert.Null(await ring.FindAsync(_site.Public.Id, Cancellation));
    }

    private Task<IReadOnlyList<SiteKey>> ReadAsync(CancellationToken cancellation)
    {
        _reads++;
        return Task.FromResult<IReadOnlyList<SiteKey>>([.. _sites]);
    }

    private sealed class Clock : TimeProvider
    {
        public TimeSpan Now { get; set; }

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override long GetTimestamp() => Now.Ticks;
    }
}
