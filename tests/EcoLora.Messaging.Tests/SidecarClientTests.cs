using System.Net;
using EcoLora.Messaging.Dapr;

namespace EcoLora.Messaging.Tests;

/// <summary>Secrets and bulk reads by HTTP towards answers that a sidecar may give.</summary>
public sealed class SidecarClientTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(200, "{\"ecolora-key\":\"a\"}", "a", null)]
    [InlineData(200, "{\"other\":\"b\",\"ecolora-key\":\"a\"}", "a", null)]
    [InlineData(200, "{\"z\":\"c\",\"b\":\"b\"}", "b", null)]
    [InlineData(200, "{\"ecolora-key\":\"\"}", null, null)]
    [InlineData(200, "{}", null, null)]
    [InlineData(200, "[]", null, "no object of texts")]
    [InlineData(200, "{\"ecolora-key\":1}", null, "no object of texts")]
    [InlineData(204, "", null, "204")]
    [InlineData(401, "", null, "401")]
    [InlineData(403, "", null, "403")]
    [InlineData(404, "", null, "404")]
    [InlineData(500, "", null, "500")]
    public async Task A_secret_is_there_or_the_answer_says_why_not(int code, string body, string? secret, string? refusal)
    {
        using var client = new SidecarClient(Options, new Answers((code, body)));
        string? refused = null;
        Assert.Equal((secret, refusal), (await client.ReadSecretAsync("secrets", "ecolora-key", why => refused = why, Cancellation), refused));
    }

    [Fact]
    public async Task Of_many_values_those_are_told_of_which_something_is_known()
    {
        using var client = new SidecarClient(Options, new Answers((200, "[{\"key\":\"a\",\"data\":\"1\",\"etag\":\"7\"},{\"key\":\"b\"},{\"key\":\"c\",\"error\":\"away\"},{\"key\":\"d\",\"data\":null}]")));
        IReadOnlyDictionary<string, StoredValue?> found = await client.ReadStatesAsync(["a", "b", "c", "d", "e"], Cancellation);
        Assert.Equal(["a", "b", "d"], found.Keys.Order());
        Assert.Equal(("\"1\"", "7"), (System.Text.Encoding.UTF8.GetString(found["a"]!.Value.Span), found["a"]!.ETag));
        Assert.Null(found["b"]);
    }

    [Theory]
    [InlineData("[{\"key\":\"a\",\"data\":\"1\"}]", "a: a value without ETag")]
    [InlineData("{}", "")]
    [InlineData("[{}]", "")]
    [InlineData("nonsense", "")]
    public async Task An_answer_that_cannot_be_read_is_told(string body, string found)
    {
        using var client = new SidecarClient(Options, new Answers((200, body)));
        CallException refused = await Assert.ThrowsAsync<CallException>(() => client.ReadStatesAsync(["a"], Cancellation));
        Assert.StartsWith("sidecar: expected /v1.0/state/statestore/bulk to be taken, found " + found, refused.Message, StringComparison.Ordinal);
    }

    private static DaprOptions Options => new(new Uri("http://127.0.0.1:3500")) { Patience = TimeSpan.FromMilliseconds(200) };

    private sealed class Answers((int Code, string Body) answer) : HttpMessageHandler
    {
        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken) =>
            Task.FromResult(new HttpResponseMessage((HttpStatusCode)answer.Code) { Content = new StringContent(answer.Body) });
    }
}
