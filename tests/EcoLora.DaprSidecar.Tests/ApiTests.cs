using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using EcoLora.DaprTestKit;

namespace EcoLora.DaprSidecar.Tests;

/// <summary>Metadata and secrets.</summary>
public sealed class ApiTests(RedisFixture fixture)
{
    [Fact]
    public async Task Metadata_are_set_and_kept_and_nothing_is_listed_that_is_not_there()
    {
        await using SidecarProcess sidecar = await SidecarProcess.StartAsync("bare");
        using StringContent value = new("some value");
        using HttpResponseMessage put = await sidecar.Client.PutAsync("/v1.0/metadata/some-key", value, TestContext.Current.CancellationToken);
        Assert.Equal(HttpStatusCode.NoContent, put.StatusCode);
        JsonElement metadata = await sidecar.Client.GetFromJsonAsync<JsonElement>("/v1.0/metadata", TestContext.Current.CancellationToken);
        Assert.Equal("some value", metadata.GetProperty("extended").GetProperty("some-key").GetString());
        Assert.True(metadata.GetProperty("extended").TryGetProperty("daprRuntimeVersion", out _));
        Assert.False(metadata.TryGetProperty("subscriptions", out _) || metadata.TryGetProperty("components", out _));
        using HttpResponseMessage secret = await sidecar.Client.GetAsync("/v1.0/secrets/secretstore/x", TestContext.Current.CancellationToken);
        Assert.Equal(HttpStatusCode.InternalServerError, secret.StatusCode);
    }

    [Fact]
    public async Task Secrets_are_variables_but_for_Daprs_own()
    {
        using SidecarResources resources = SidecarResources.OfProduct("redis", fixture.Require());
        // A variable of this test's own: sidecars inherit it.
        string variable = $"ECOLORA_TEST_{Guid.NewGuid():N}";
        Environment.SetEnvironmentVariable(variable, "a secret");
        await using SidecarProcess sidecar = await SidecarProcess.StartAsync("knowing", resourcesPath: resources.Path, apiToken: "token");
        Environment.SetEnvironmentVariable(variable, null);
        foreach ((string key, string expected) in new[] { (variable, "a secret"), ("NO_SUCH_VARIABLE_OF_ECOLORA", ""), ("DAPR_API_TOKEN", "") })
        {
            JsonElement secret = await sidecar.Client.GetFromJsonAsync<JsonElement>($"/v1.0/secrets/secretstore/{key}", TestContext.Current.CancellationToken);
            Assert.Equal(expected, secret.GetProperty(key).GetString());
        }
        JsonElement all = await sidecar.Client.GetFromJsonAsync<JsonElement>("/v1.0/secrets/secretstore/bulk", TestContext.Current.CancellationToken);
        Assert.Equal("a secret", all.GetProperty(variable).GetProperty(variable).GetString());
        Assert.False(all.TryGetProperty("DAPR_API_TOKEN", out _));
        using HttpResponseMessage unknown = await sidecar.Client.GetAsync("/v1.0/secrets/nowhere/x", TestContext.Current.CancellationToken);
        Assert.Equal(HttpStatusCode.Unauthorized, unknown.StatusCode);
    }
}
