using EcoLora.Hosting;
using EcoLora.Messaging;
using EcoLora.Services.Scheduler;
using EcoLora.TestKit;

namespace EcoLora.Services.Tests;

public sealed class SiteRegistryTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly SigningKey _hub = SigningKey.Create(), _key = SigningKey.Create(), _other = SigningKey.Create();
    private readonly HandClock _clock = new();
    private readonly FolderStateStore _store;
    private readonly SiteRegistry _registry;

    public SiteRegistryTests()
    {
        _store = new FolderStateStore(new DurableFolder(_folder.Path));
        _registry = new SiteRegistry(_store, _hub.Public.Id, _clock);
    }

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public void Dispose()
    {
        foreach (SigningKey key in new[] { _hub, _key, _other }) key.Dispose();
        _folder.Dispose();
    }

    [Fact]
    public async Task A_token_enrols_one_key_once()
    {
        Assert.Contains("expected one that was admitted", await EnrolAsync("north", _key, "token"), StringComparison.Ordinal);
        string token = (await _registry.AdmitAsync("north", Cancellation))!;
        Assert.Empty(await KeysAsync());
        Assert.Contains("expected a token", await EnrolAsync("north", _key, null), StringComparison.Ordinal);
        Assert.Contains("expected the token that was given out last", await EnrolAsync("north", _key, token + "x"), StringComparison.Ordinal);
        Assert.Null(await EnrolAsync("north", _key, token));
        Assert.Equal(["north: of north"], await KeysAsync());
        // The site's other services, with the token and without; and another key with a token that is used.
        Assert.Null(await EnrolAsync("north", _key, token));
        Assert.Null(await EnrolAsync("north", _key, null));
        Assert.Contains("was not used", await EnrolAsync("north", _other, token), StringComparison.Ordinal);
        Assert.Equal(["north: of north"], await KeysAsync());
        Assert.DoesNotContain(token, string.Concat(Directory.EnumerateFiles(_folder.Path, "*", SearchOption.AllDirectories).Select(File.ReadAllText)), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Another_token_lets_another_key_take_the_place_and_ends_the_token_before()
    {
        string first = (await _registry.AdmitAsync("north", Cancellation))!, second = (await _registry.AdmitAsync("north", Cancellation))!;
        Assert.NotNull(await EnrolAsync("north", _key, first));
        Assert.Null(await EnrolAsync("north", _key, second));
        string third = (await _registry.AdmitAsync("north", Cancellation))!;
        Assert.Equal(["north: of north"], await KeysAsync());
        Assert.Null(await EnrolAsync("north", _other, third));
        Assert.Equal(["north: of another"], await KeysAsync());
        string south = (await _registry.AdmitAsync("south", Cancellation))!;
        Assert.Contains("a key of its own", await EnrolAsync("south", _other, south), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_revoked_site_comes_back_with_a_token_only_and_an_old_token_is_none()
    {
        Assert.False(await _registry.RevokeAsync("north", Cancellation));
        string token = (await _registry.AdmitAsync("north", Cancellation))!;
        Assert.Null(await EnrolAsync("north", _key, token));
        string unused = (await _registry.AdmitAsync("north", Cancellation))!;
        Assert.True(await _registry.RevokeAsync("north", Cancellation));
        Assert.Equal(["north: of north, revoked"], await KeysAsync());
        Assert.Contains("revoked", await EnrolAsync("north", _key, null), StringComparison.Ordinal);
        Assert.NotNull(await EnrolAsync("north", _key, unused));
        string late = (await _registry.AdmitAsync("north", Cancellation))!;
        _clock.Pass(SiteRegistry.TokenAge.TotalSeconds + 1);
        Assert.Contains("expected a token of the last 24 hours", await EnrolAsync("north", _key, late), StringComparison.Ordinal);
        Assert.Null(await EnrolAsync("north", _key, await _registry.AdmitAsync("north", Cancellation)));
        Assert.Equal(["north: of north"], await KeysAsync());
    }

    [Fact]
    public async Task Only_who_has_the_key_enrols_it_and_only_here()
    {
        string token = (await _registry.AdmitAsync("north", Cancellation))!;
        SiteEnrolment genuine = Enrolment("north", _key, token, _hub);
        foreach (SiteEnrolment fake in new[]
        {
            genuine with { Key = _other.Public.Text },
            genuine with { Site = "south" },
            genuine with { Token = token + "x" },
            genuine with { Proof = "" },
            genuine with { Proof = Convert.ToBase64String(new byte[64]) },
            genuine with { Proof = "none" },
            Enrolment("north", _key, token, _other), // For another hub.
            genuine with { Key = "key" },
            genuine with { Site = "../north" },
        }) Assert.NotNull(await _registry.EnrolAsync(fake, Cancellation));
        Assert.Empty(await KeysAsync());
        Assert.Null(await _registry.EnrolAsync(genuine, Cancellation));
    }

    [Fact]
    public async Task Two_schedulers_lose_no_site()
    {
        var overtaken = new OvertakenStore(_store, async () => await _registry.AdmitAsync("south", Cancellation));
        Assert.NotNull(await new SiteRegistry(overtaken, _hub.Public.Id, _clock).AdmitAsync("north", Cancellation));
        Assert.Equal(["north", "south"], (await _registry.ListAsync(Cancellation)).Select(site => site.Name));
    }

    private Task<string?> EnrolAsync(string site, SigningKey key, string? token) => _registry.EnrolAsync(Enrolment(site, key, token, _hub), Cancellation);

    private static SiteEnrolment Enrolment(string site, SigningKey key, string? token, SigningKey hub) =>
        new(site, key.Public.Text, token, Convert.ToBase64String(key.Sign(ServiceTrust.ProofOf(hub.Public.Id, site, key.Public.Text, token))));

    private async Task<string[]> KeysAsync() =>
        [.. (await SiteRegistry.KeysAsync(_store, Cancellation)).Select(site => $"{site.Site}: of {(site.Key == _key.Public.Text ? "north" : "another")}{(site.IsRevoked ? ", revoked" : "")}")];
}
