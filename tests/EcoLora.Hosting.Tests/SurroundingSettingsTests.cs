using EcoLora.Messaging;

namespace EcoLora.Hosting.Tests;

public class SurroundingSettingsTests
{
    [Fact]
    public void By_default_a_sidecar_is_around_the_service()
    {
        SurroundingSettings settings = Read([("DAPR_HTTP_PORT", "3601"), ("APP_API_TOKEN", "t")]);
        Assert.Equal(("http://127.0.0.1:3601/", null, true), (settings.Dapr!.Endpoint.ToString(), settings.Kafka, settings.Token.Admits("t")));
        Assert.Empty(settings.Apps);
    }

    [Fact]
    public void Daprs_sdk_is_there_in_builds_with_its_packages_and_refused_by_name_in_others()
    {
        SurroundingSettings BySdk() => Read([("ECOLORA_SIDECAR", "dapr-sdk"), ("DAPR_HTTP_PORT", "3601"), ("DAPR_GRPC_PORT", "3602")]);
#if FEED_FULL
        SurroundingSettings settings = BySdk();
        Assert.Equal((SidecarKind.Sdk, "http://127.0.0.1:3601/", "http://127.0.0.1:3602/"), (settings.Sidecar, settings.Dapr!.Endpoint.ToString(), settings.Dapr.GrpcEndpoint.ToString()));
#else
        Assert.Equal("ECOLORA_SIDECAR: expected dapr or none, since this build is without Dapr's SDK (-p:Feed=full), found 'dapr-sdk'", Assert.ThrowsAny<FormatException>(BySdk).Message);
#endif
    }

    [Fact]
    public void Without_one_there_are_kafka_and_addresses_each_with_its_token()
    {
        SurroundingSettings settings = Read(
        [
            ("ECOLORA_SIDECAR", "none"), ("ECOLORA_KAFKA", "broker:9093"), ("ECOLORA_KAFKA_SECURITY", "security.protocol=SASL_SSL; sasl.password=a=b"),
            ("ECOLORA_APPS", "scheduler=https://hub.example/ecolora; codec-north=http://127.0.0.1:5102"), ("APP_API_TOKEN", "own"), ("ECOLORA_APP_TOKENS", "scheduler=of=hub"),
        ]);
        Assert.Null(settings.Dapr);
        Assert.Equal(("broker:9093", "codec-north"), (settings.Kafka!.Brokers, settings.Kafka.Group));
        Assert.Equal(new Dictionary<string, string> { ["security.protocol"] = "SASL_SSL", ["sasl.password"] = "a=b" }, settings.Kafka.Security);
        Assert.Equal(
            new Dictionary<string, AppAddress> { ["scheduler"] = new(new Uri("https://hub.example/ecolora"), "of=hub"), ["codec-north"] = new(new Uri("http://127.0.0.1:5102"), "own") }, settings.Apps);
    }

    [Theory]
    [InlineData("ECOLORA_SIDECAR", "off", "ECOLORA_SIDECAR: expected dapr or dapr-sdk or none, found 'off'")]
    [InlineData("ECOLORA_KAFKA", "", "ECOLORA_KAFKA: expected Kafka's brokers, since ECOLORA_SIDECAR is none, found ''")]
    [InlineData("ECOLORA_KAFKA_SECURITY", "hunter2", "ECOLORA_KAFKA_SECURITY: expected security.protocol, sasl.* and ssl.* as name=value;name=value, each name once, found 'others'")]
    [InlineData("ECOLORA_KAFKA_SECURITY", "sasl.password=hunter2;sasl.password=x", "ECOLORA_KAFKA_SECURITY: expected security.protocol, sasl.* and ssl.* as name=value;name=value, each name once, found 'others'")]
    [InlineData("ECOLORA_KAFKA_SECURITY", "plugin.library.paths=hunter2", "Kafka, Security: expected security.protocol, sasl.* and ssl.*, found 'plugin.library.paths'")]
    [InlineData("ECOLORA_BIND", "any", "APP_API_TOKEN: expected a token that other services show, since ECOLORA_SIDECAR is none and ECOLORA_BIND any, found ''")]
    [InlineData("ECOLORA_APPS", "scheduler", "ECOLORA_APPS: expected app=http://host:port;app=https://host/path, each app once, found 'scheduler'")]
    [InlineData("ECOLORA_APPS", "scheduler=hub:5100", "ECOLORA_APPS: expected app=http://host:port;app=https://host/path, each app once, found 'scheduler=hub:5100'")]
    [InlineData("ECOLORA_APPS", "scheduler=file:///etc", "ECOLORA_APPS: expected app=http://host:port;app=https://host/path, each app once, found 'scheduler=file:///etc'")]
    [InlineData("ECOLORA_APPS", "scheduler=http://hub?x=1", "ECOLORA_APPS: expected app=http://host:port;app=https://host/path, each app once, found 'scheduler=http://hub?x=1'")]
    [InlineData("ECOLORA_APPS", "a=http://x;a=http://y", "ECOLORA_APPS: expected app=http://host:port;app=https://host/path, each app once, found 'a=http://y'")]
    [InlineData("ECOLORA_APP_TOKENS", "hunter2", "ECOLORA_APP_TOKENS: expected app=token;app=token, each app once, found 'others'")]
    [InlineData("ECOLORA_APP_TOKENS", "agregator=hunter2", "ECOLORA_APP_TOKENS: expected tokens of apps in ECOLORA_APPS, found 'agregator'")]
    public void What_cannot_be_used_is_named_and_no_secret_shown(string variable, string value, string message)
    {
        FormatException refused = Assert.ThrowsAny<FormatException>(() => Read([("ECOLORA_SIDECAR", "none"), ("ECOLORA_KAFKA", "broker:9092"), ("ECOLORA_APPS", "aggregator=http://127.0.0.1:5101"), (variable, value)]));
        Assert.Equal(message, refused.Message);
        Assert.DoesNotContain("hunter2", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Secrets_are_not_among_the_settings_that_are_logged()
    {
        var variables = new ServiceVariables(name => name switch
        {
            "ECOLORA_SIDECAR" => "none",
            "ECOLORA_KAFKA" => "broker:9092",
            "ECOLORA_KAFKA_SECURITY" => "sasl.password=hunter2",
            "ECOLORA_APPS" => "aggregator=http://127.0.0.1:5101",
            "ECOLORA_APP_TOKENS" => "aggregator=hunter2",
            "APP_API_TOKEN" => "hunter2",
            _ => null,
        });
        SurroundingSettings.Read(variables, "codec-north");
        Assert.DoesNotContain(variables.Effective.Values, value => value.Contains("hunter2", StringComparison.Ordinal));
    }

    private static SurroundingSettings Read((string Name, string Value)[] settings)
    {
        var given = settings.GroupBy(setting => setting.Name).ToDictionary(setting => setting.Key, setting => setting.Last().Value);
        return SurroundingSettings.Read(new ServiceVariables(given.GetValueOrDefault), "codec-north");
    }
}
