using System.Diagnostics;
using System.Text.Json;
using System.Text.RegularExpressions;
using EcoLora.TestKit;

namespace EcoLora.Hosting.Tests;

/// <summary>
/// What can be seen of the project files of builds with <c>-p:Feed=full</c> without their packages. That their sources in src fit the ports and options of today, EcoLora.FullFeedCheck's compilation shows.
/// </summary>
public class FullFeedTests
{
    /// <summary>Projects that only such a build has packages for, or sources.</summary>
    public static TheoryData<string> Projects =>
    [
        .. Directory.EnumerateFiles(Repository.Root, "*.csproj", SearchOption.AllDirectories)
            .Select(file => Path.GetRelativePath(Repository.Root, file))
            .Where(file => !file.StartsWith("artifacts", StringComparison.Ordinal) && Regex.IsMatch(File.ReadAllText(Path.Combine(Repository.Root, file)), @"Feed=full|\$\(Feed\)|ConfluentKafka\.props")),
    ];

    [Theory]
    [MemberData(nameof(Projects))]
    public async Task A_project_is_read_and_what_it_refers_to_is_there(string project)
    {
        JsonElement items = await EvaluateAsync(project, "PackageReference", "PackageVersion", "ProjectReference", "Compile");
        string[] packages = Identities(items, "PackageReference"), versions = Identities(items, "PackageVersion");
        Assert.NotEmpty(packages);
        Assert.All(packages.Where(package => package is not "Microsoft.NET.ILLink.Tasks"), package => Assert.Contains(package, versions));
        string folder = Path.Combine(Repository.Root, Path.GetDirectoryName(project)!);
        Assert.All(Identities(items, "ProjectReference").Concat(Identities(items, "Compile")), file => Assert.True(File.Exists(Path.Combine(folder, file)), $"{project}: expected {file}, found none"));
    }

    [Fact]
    public async Task Its_packages_are_those_that_the_docs_name_at_the_versions_that_are_pinned()
    {
        var pinned = Regex.Matches(await File.ReadAllTextAsync(Path.Combine(Repository.Root, "Directory.Packages.props"), TestContext.Current.CancellationToken), "PackageVersion Include=\"(?<name>[^\"]+)\" Version=\"(?<version>[^\"]+)\"")
            .ToDictionary(match => match.Groups["name"].Value, match => match.Groups["version"].Value);
        string docs = await File.ReadAllTextAsync(Path.Combine(Repository.Root, "docs", "deployment.md"), TestContext.Current.CancellationToken);
        var full = new SortedSet<string>(StringComparer.Ordinal);
        foreach (string project in Projects.Select(project => project.Data).Where(project => project.StartsWith("src", StringComparison.Ordinal)))
        {
            full.UnionWith(Identities(await EvaluateAsync(project, "PackageReference"), "PackageReference"));
            // The solution does not have it: no usual build sees its packages.
            if (Path.GetFileNameWithoutExtension(project) != "EcoLora.Messaging.DaprSdk") full.ExceptWith(Identities(await EvaluateAsync(project, "PackageReference", isFull: false), "PackageReference"));
        }
        Assert.Equal(["Confluent.Kafka", "Dapr.AspNetCore", "Dapr.Client", "OpenTelemetry.Exporter.Prometheus.AspNetCore", "OpenTelemetry.Extensions.Hosting", "OpenTelemetry.Instrumentation.Runtime"], full);
        Assert.All(full, package => Assert.Contains($"{package} {pinned[package]}", docs, StringComparison.Ordinal));
    }

    [Fact]
    public async Task The_docs_name_every_way_to_a_sidecar()
    {
        string row = (await File.ReadAllLinesAsync(Path.Combine(Repository.Root, "docs", "hub.md"), TestContext.Current.CancellationToken)).Single(line => line.StartsWith($"| `{SidecarKinds.Variable}`", StringComparison.Ordinal));
        Assert.All(SidecarKinds.Words, word => Assert.Contains($"`{word}`", row, StringComparison.Ordinal));
    }

    private static string[] Identities(JsonElement items, string kind) => [.. items.GetProperty(kind).EnumerateArray().Select(item => item.GetProperty("Identity").GetString()!)];

    private static Task<JsonElement> EvaluateAsync(string project, string first, params string[] kinds) => EvaluateAsync(project, string.Join(',', [first, .. kinds]), isFull: true);

    private static async Task<JsonElement> EvaluateAsync(string project, string kinds, bool isFull)
    {
        var start = new ProcessStartInfo("dotnet", ["msbuild", Path.Combine(Repository.Root, project), "-nologo", $"-p:Feed={(isFull ? "full" : "")}", $"-getItem:{kinds}"]) { RedirectStandardOutput = true, RedirectStandardError = true };
        using Process process = Process.Start(start)!;
        Task<string> error = process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        string output = await process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        Assert.True(process.ExitCode == 0, output + await error);
        return JsonElement.Parse(output).GetProperty("Items");
    }
}
