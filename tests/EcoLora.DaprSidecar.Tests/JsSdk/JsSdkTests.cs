using System.Text.RegularExpressions;

namespace EcoLora.DaprSidecar.Tests.JsSdk;

/// <summary>
/// The check on the check: Dapr's own JavaScript SDK, which none of us wrote, as a client and as a server against the test sidecar. Where the SDK finds
/// something else than it expects, the sidecar is wrong, not the SDK.
/// </summary>
public sealed partial class JsSdkTests(SdkRuns runs) : IClassFixture<SdkRuns>
{
    /// <summary>The names of the checks, as the scripts have them: one test a check.</summary>
    public static TheoryData<string, string, string> Checks
    {
        get
        {
            TheoryData<string, string, string> checks = [];
            foreach ((string script, string broker) in new[]
            {
                ("state.mjs", "redis"), ("invocation.mjs", "redis"), ("pubsub.mjs", "redis"), ("pubsub.mjs", "rabbitmq"),
            })
                foreach (Match check in CheckName().Matches(File.ReadAllText(Path.Combine(NodeFolder.Sources, script))))
                    checks.Add(script, broker, check.Groups[1].Value);
            return checks;
        }
    }

    [Theory]
    [MemberData(nameof(Checks))]
    public async Task The_SDK_finds_what_it_expects(string script, string broker, string check)
    {
        if ((await runs.OfAsync(script, broker)).FailureOf(check) is { } failure) Assert.Fail($"{check} ({broker}): {failure}");
    }

    [GeneratedRegex("^check\\(\"([^\"]+)\"", RegexOptions.Multiline)]
    private static partial Regex CheckName();
}
