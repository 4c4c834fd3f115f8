using System.Diagnostics;
using EcoLora.TestKit;

namespace EcoLora.EndToEnd.Tests.Hub;

/// <summary>deploy/kustomize as kubectl renders it: without a warning, and the same as the other tests read it.</summary>
public class KustomizeRenderTests
{
    [Theory]
    [InlineData("hub")]
    [InlineData("site")]
    public async Task Kubectl_renders_what_the_tests_read(string overlay)
    {
        Assert.SkipWhen(InstalledProgram.Find("kubectl") is null, "needs kubectl");
        CancellationToken cancellation = TestContext.Current.CancellationToken;
        using Process kubectl = Process.Start(new ProcessStartInfo("kubectl", ["kustomize", Path.Combine(Repository.Root, "deploy", "kustomize", "overlays", overlay)])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        Task<string> warnings = kubectl.StandardError.ReadToEndAsync(cancellation);
        string rendered = await kubectl.StandardOutput.ReadToEndAsync(cancellation);
        await kubectl.WaitForExitAsync(cancellation);
        Assert.Equal((0, ""), (kubectl.ExitCode, await warnings));
        Assert.Equal(Texts(KustomizeOverlay.Read(overlay).Resources), Texts(DaprYaml.ReadAll(rendered)));
    }

    /// <summary>Resources as texts that do not depend on the order of files or members.</summary>
    private static List<string> Texts(IEnumerable<object> resources) => [.. resources.Select(Text).Order(StringComparer.Ordinal)];

    private static string Text(object? node) => node switch
    {
        Dictionary<object, object> map => $"{{{string.Join(", ", map.OrderBy(member => (string)member.Key, StringComparer.Ordinal).Select(member => $"{member.Key}: {Text(member.Value)}"))}}}",
        List<object> list => $"[{string.Join(", ", list.Select(Text))}]",
        _ => $"'{node}'",
    };
}
