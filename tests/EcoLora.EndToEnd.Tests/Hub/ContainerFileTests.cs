using System.Text.Json;
using System.Text.RegularExpressions;
using System.Xml.Linq;
using EcoLora.TestKit;

namespace EcoLora.EndToEnd.Tests.Hub;

/// <summary>deploy/docker: the images are built from the projects of the services, and run as the manifests expect.</summary>
public partial class ContainerFileTests
{
    private static readonly string[] _lines = [.. File.ReadLines(Path.Combine(Repository.Root, "deploy", "docker", "Dockerfile")).Where(line => line.Length > 0 && line[0] != '#')];

    [Fact]
    public void The_layer_of_packages_is_made_from_all_projects_of_the_services_and_from_what_they_import()
    {
        string[] copied = [.. Copies().SelectMany(copy => copy.Sources).Where(source => source.Contains(".csproj", StringComparison.Ordinal) || source.EndsWith(".props", StringComparison.Ordinal) && source.Contains('/')).Order()];
        var projects = new SortedSet<string>(StringComparer.Ordinal);
        foreach (string service in ServiceFacts.All) Add($"services/{service.ToLowerInvariant()}/EcoLora.Services.{service}.csproj", projects);
        Assert.Equal(projects, copied);
        // Each to where it was.
        Assert.All(Copies().Where(copy => copy.Sources.Any(source => source.EndsWith(".csproj", StringComparison.Ordinal))), copy => Assert.All(copy.Sources, source => Assert.Equal(copy.Target, Path.GetDirectoryName(source) + "/")));
        string[] root = [.. Directory.GetFiles(Repository.Root, "Directory.*").Select(file => Path.GetFileName(file)!), ".editorconfig", "global.json"];
        Assert.Equal(root.Order(), Copies()[0].Sources.Order());
        // The library that the program looks for is one that loads where there is no SASL library.
        Assert.Contains(_lines, line => line.StartsWith("RUN ", StringComparison.Ordinal) && line.Contains("mv centos8-librdkafka.so librdkafka.so", StringComparison.Ordinal));
        Assert.All(_lines.Where(line => line.StartsWith("RUN dotnet", StringComparison.Ordinal)), line => Assert.Contains("-p:Feed=${FEED} -p:Torch=${TORCH}", line));
    }

    [Fact]
    public void The_context_has_what_is_copied_and_no_more()
    {
        string[] ignored = [.. File.ReadLines(Path.Combine(Repository.Root, ".dockerignore")).Where(line => line.Length > 0 && line[0] != '#')];
        Assert.Equal("*", ignored[0]);
        string[] let = [.. ignored.Where(line => line[0] == '!').Select(line => line[1..])];
        string[] sources = [.. Copies().SelectMany(copy => copy.Sources).Select(source => source.Contains('/') ? source[..(source.IndexOf('/') + 1)] : source).Distinct()];
        Assert.Equal(sources.Order(), let.Order());
        Assert.All(let, entry => Assert.True(Path.Exists(Path.Combine(Repository.Root, entry)), entry));
    }

    [Fact]
    public void Images_are_of_the_sdk_of_global_json_and_run_as_the_user_and_on_the_volume_of_the_manifests()
    {
        string sdk = JsonDocument.Parse(File.ReadAllText(Path.Combine(Repository.Root, "global.json"))).RootElement.GetProperty("sdk").GetProperty("version").GetString()!;
        string[] from = [.. _lines.Where(line => line.StartsWith("FROM ", StringComparison.Ordinal))];
        Assert.StartsWith($"FROM mcr.microsoft.com/dotnet/sdk:{sdk}-", from[0]);
        Assert.Equal($"FROM mcr.microsoft.com/dotnet/aspnet:{sdk.Split('.')[0]}.0-noble-chiseled", from[1]);
        string user = Number().Match(_lines.Single(line => line.StartsWith("USER ", StringComparison.Ordinal))).Value, volume = "/var/lib/ecolora";
        Assert.NotEqual("0", user);
        Assert.Contains($"VOLUME {volume}", _lines);
        Assert.Contains($"COPY --from=build --chown={user}:{user} /volume {volume}", _lines);
        Assert.Contains($"ENV DOTNET_EnableDiagnostics=0 ECOLORA_VOLUME={volume}", _lines);
        Assert.Equal("ENTRYPOINT [\"/app/service\"]", _lines[^1]);
        foreach (Dictionary<object, object> set in new[] { "hub", "site" }.SelectMany(overlay => KustomizeOverlay.Read(overlay).Services))
        {
            Assert.Equal((user, user), (DaprYaml.Text(KustomizeOverlay.Container(set), "securityContext", "runAsUser"), DaprYaml.Text(KustomizeOverlay.Pod(set), "spec", "securityContext", "fsGroup")));
            Assert.Equal(volume, KustomizeOverlay.Variables(set)["ECOLORA_VOLUME"]);
        }
    }

    /// <summary>A project, what it imports, and the projects that it references.</summary>
    private static void Add(string project, SortedSet<string> all)
    {
        if (!all.Add(project)) return;
        string folder = Path.GetDirectoryName(project)!;
        var file = XDocument.Load(Path.Combine(Repository.Root, project));
        foreach (XElement import in file.Descendants("Import")) all.Add(From(import.Attribute("Project")!.Value));
        foreach (XElement reference in file.Descendants("ProjectReference")) Add(From(reference.Attribute("Include")!.Value), all);

        string From(string path) => Path.GetRelativePath(Repository.Root, Path.GetFullPath(Path.Combine(Repository.Root, folder, path)));
    }

    /// <summary>What is copied from the context.</summary>
    private static List<(string[] Sources, string Target)> Copies() =>
        [.. _lines.Where(line => line.StartsWith("COPY ", StringComparison.Ordinal) && !line.Contains("--from", StringComparison.Ordinal)).Select(line => line.Split(' ')[1..]).Select(parts => (parts[..^1], parts[^1]))];

    [GeneratedRegex(@"\d+")]
    private static partial Regex Number();
}
