using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;

namespace EcoLora.Hosting.Tests;

public class ApiAccessTests
{
    private const string Token = "a-token-of-twenty-ch";

    [Theory]
    [InlineData("Bearer " + Token, true)]
    [InlineData("bearer  " + Token, true)]
    [InlineData(Token, false)]
    [InlineData("Bearer", false)]
    [InlineData("Bearer a-token-of-twenty-cH", false)]
    [InlineData("Bearer " + Token + "x", false)]
    [InlineData("Basic " + Token, false)]
    [InlineData(null, false)]
    public void With_a_token_whoever_shows_it_is_let_in_from_anywhere(string? authorization, bool isLetIn)
    {
        HttpRequest request = Request("hub.example.org");
        if (authorization is not null) request.Headers.Authorization = authorization;
        request.Headers.Origin = "https://elsewhere.example.org";
        IResult? refusal = new ApiAccess(Token, isLoopback: false).Refusal(request);
        Assert.Equal(isLetIn, refusal is null);
        if (refusal is null) return;
        Assert.Equal(StatusCodes.Status401Unauthorized, Assert.IsType<ContentHttpResult>(refusal).StatusCode);
        Assert.DoesNotContain("twenty", Assert.IsType<ContentHttpResult>(refusal).ResponseContent, StringComparison.Ordinal);
        Assert.Equal("Bearer", request.HttpContext.Response.Headers.WWWAuthenticate);
    }

    [Theory]
    [InlineData("127.0.0.1:5100", null, null, null)]
    [InlineData("localhost:5100", "http://localhost:5100", "same-origin", null)]
    [InlineData("[::1]:5100", null, "none", null)]
    [InlineData("127.8.9.1", null, null, null)]
    [InlineData("evil.example.org", null, null, "host: expected a name of this machine's loopback, found 'evil.example.org'")]
    [InlineData("10.0.0.7:5100", null, null, "host: expected a name of this machine's loopback, found '10.0.0.7'")]
    [InlineData("127.0.0.1.example.org", null, null, "host: expected a name of this machine's loopback, found '127.0.0.1.example.org'")]
    [InlineData("", null, null, "host: expected a name of this machine's loopback, found ''")]
    [InlineData("localhost:5100", "http://evil.example.org", null, "origin: expected none but this service's own, found 'http://evil.example.org'")]
    [InlineData("localhost:5100", "http://localhost:8080", null, "origin: expected none but this service's own, found 'http://localhost:8080'")]
    [InlineData("localhost:5100", "null", null, "origin: expected none but this service's own, found 'null'")]
    [InlineData("localhost:5100", null, "cross-site", "Sec-Fetch-Site: expected same-origin, found 'cross-site'")]
    [InlineData("localhost:5100", null, "same-site", "Sec-Fetch-Site: expected same-origin, found 'same-site'")]
    public void Without_one_whoever_is_on_this_machine_is_let_in_but_no_page_from_elsewhere(string host, string? origin, string? site, string? refusal)
    {
        HttpRequest request = Request(host);
        if (origin is not null) request.Headers.Origin = origin;
        if (site is not null) request.Headers["Sec-Fetch-Site"] = site;
        var found = new ApiAccess(null, isLoopback: true).Refusal(request) as ContentHttpResult;
        Assert.Equal(refusal, found?.ResponseContent);
        if (refusal is not null) Assert.Equal(StatusCodes.Status403Forbidden, found!.StatusCode);
    }

    [Theory]
    [InlineData(null, false, "ECOLORA_API_TOKEN: expected 16 or more visible ASCII characters, since ECOLORA_BIND is any, found ''")]
    [InlineData("short", true, "ECOLORA_API_TOKEN: expected 16 or more visible ASCII characters, found 'others'")]
    [InlineData("with a blank in the middle", true, "ECOLORA_API_TOKEN: expected 16 or more visible ASCII characters, found 'others'")]
    public void A_token_that_can_be_guessed_or_is_missing_where_it_is_needed_is_refused_without_being_shown(string? token, bool isLoopback, string refusal) =>
        Assert.Equal(refusal, Assert.Throws<SettingException>(() => new ApiAccess(token, isLoopback)).Message);

    private static HttpRequest Request(string host)
    {
        HttpRequest request = new DefaultHttpContext().Request;
        (request.Scheme, request.Host) = ("http", new HostString(host));
        return request;
    }
}
