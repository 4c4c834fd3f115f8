using System.Text.RegularExpressions;
using EcoLora.TestKit;

namespace EcoLora.EndToEnd.Tests.Hub;

/// <summary>
/// An overlay of deploy/kustomize as its files say it, so that it can be judged without kubectl: resources with those of the base, replacements, image names and
/// namespace, which is all of Kustomize that the files use. Where kubectl is there, a test holds this reading to its.
/// </summary>
internal sealed partial class KustomizeOverlay
{
    private static readonly string[] _understood = ["apiVersion", "kind", "namespace", "resources", "images", "replacements"];

    private KustomizeOverlay(List<Dictionary<object, object>> resources, string @namespace) => (Resources, Namespace) = (resources, @namespace);

    /// <summary>What would be applied.</summary>
    public List<Dictionary<object, object>> Resources { get; }

    /// <summary>The namespace of all.</summary>
    public string Namespace { get; }

    /// <summary>The stateful sets of our services, which have a sidecar.</summary>
    public IEnumerable<Dictionary<object, object>> Services => Of("StatefulSet").Where(set => DaprYaml.Find(Pod(set), "metadata", "annotations", "dapr.io/enabled") is "true");

    /// <summary>Reads one.</summary>
    /// <param name="name">hub or site.</param>
    public static KustomizeOverlay Read(string name)
    {
        string folder = Path.Combine(Repository.Root, "deploy", "kustomize", "overlays", name);
        List<Dictionary<object, object>> resources = ReadFolder(folder);
        string @namespace = DaprYaml.Text(Kustomization(folder), "namespace");
        foreach (Dictionary<object, object> resource in resources.Where(resource => KindOf(resource) != "Namespace"))
            ((Dictionary<object, object>)resource["metadata"])["namespace"] = @namespace;
        return new KustomizeOverlay(resources, @namespace);
    }

    /// <summary>The resources of a kind.</summary>
    public IEnumerable<Dictionary<object, object>> Of(string kind) => Resources.Where(resource => KindOf(resource) == kind);

    /// <summary>A resource by kind and name.</summary>
    public Dictionary<object, object> The(string kind, string name) => Of(kind).Single(resource => NameOf(resource) == name);

    /// <summary>A resource's kind.</summary>
    public static string KindOf(object resource) => DaprYaml.Text(resource, "kind");

    /// <summary>A resource's name.</summary>
    public static string NameOf(object resource) => DaprYaml.Text(resource, "metadata", "name");

    /// <summary>A stateful set's pod template.</summary>
    public static object Pod(object set) => DaprYaml.At(set, "spec", "template");

    /// <summary>The one container of a stateful set.</summary>
    public static object Container(object set) => DaprYaml.List(set, "spec", "template", "spec", "containers").Single();

    /// <summary>The variables of the container; those from secrets as null.</summary>
    public static Dictionary<string, string?> Variables(object set) =>
        DaprYaml.ListOrNone(Container(set), "env").ToDictionary(entry => DaprYaml.Text(entry, "name"), entry => (string?)DaprYaml.Find(entry, "value"));

    private static List<Dictionary<object, object>> ReadFolder(string folder)
    {
        Dictionary<object, object> kustomization = Kustomization(folder);
        Assert.Empty(kustomization.Keys.Except(_understood));
        var resources = new List<Dictionary<object, object>>();
        string[] named = [.. DaprYaml.List(kustomization, "resources").Cast<string>()];
        foreach (string entry in named)
        {
            string path = Path.GetFullPath(Path.Combine(folder, entry));
            resources.AddRange(Directory.Exists(path) ? ReadFolder(path) : DaprYaml.ReadAll(File.ReadAllText(path)));
        }
        // A file that nobody names would look as if it counted.
        Assert.Equal(Directory.GetFiles(folder, "*.yaml").Select(Path.GetFileName).Except(["kustomization.yaml"]).Order(), named.Where(entry => entry.EndsWith(".yaml", StringComparison.Ordinal)).Order());
        foreach (object replacement in DaprYaml.ListOrNone(kustomization, "replacements")) Replace(resources, replacement);
        foreach (object image in DaprYaml.ListOrNone(kustomization, "images")) Rename(resources, DaprYaml.Text(image, "name"), DaprYaml.Text(image, "newName"));
        resources.RemoveAll(resource => DaprYaml.Find(resource, "metadata", "annotations", "config.kubernetes.io/local-config") is "true");
        return resources;
    }

    private static Dictionary<object, object> Kustomization(string folder) => DaprYaml.ReadAll(File.ReadAllText(Path.Combine(folder, "kustomization.yaml"))).Single();

    private static void Rename(List<Dictionary<object, object>> resources, string name, string newName)
    {
        object[] containers = [.. resources.Where(resource => KindOf(resource) == "StatefulSet").Select(Container).Where(container => DaprYaml.Text(container, "image").StartsWith(name + ":", StringComparison.Ordinal))];
        Assert.NotEmpty(containers);
        foreach (Dictionary<object, object> container in containers.Cast<Dictionary<object, object>>()) container["image"] = newName + ((string)container["image"])[name.Length..];
    }

    private static void Replace(List<Dictionary<object, object>> resources, object replacement)
    {
        object source = resources.Single(resource => IsSelected(resource, DaprYaml.At(replacement, "source")));
        string value = (string)Step(source, DaprYaml.Find(replacement, "source", "fieldPath") as string ?? "metadata.name", null);
        foreach (object target in DaprYaml.List(replacement, "targets"))
        {
            object[] selected = [.. resources.Where(resource => IsSelected(resource, DaprYaml.At(target, "select")))];
            Assert.NotEmpty(selected);
            string? delimiter = DaprYaml.Find(target, "options", "delimiter") as string;
            int index = int.Parse(DaprYaml.Find(target, "options", "index") as string ?? "0");
            foreach (object resource in selected)
                foreach (string path in DaprYaml.List(target, "fieldPaths").Cast<string>())
                    Step(resource, path, former => delimiter is null ? value : string.Join(delimiter, former.Split(delimiter).Select((part, at) => at == index ? value : part)));
        }
    }

    private static bool IsSelected(object resource, object select) =>
        KindOf(resource) == DaprYaml.Text(select, "kind") && (DaprYaml.Find(select, "name") is not string name || NameOf(resource) == name);

    /// <summary>Goes down a path such as <c>a.[name=b].c</c> or <c>a.[b.c/d]</c>, and changes the text at its end.</summary>
    private static object Step(object at, string path, Func<string, string>? change)
    {
        string[] steps = [.. PathStep().Matches(path).Select(match => match.Groups[1].Success ? match.Groups[1].Value : match.Value)];
        foreach ((int index, string step) in steps.Index())
        {
            if (at is List<object> list)
            {
                string[] condition = step.Split('=', 2);
                at = list.Single(entry => DaprYaml.Find(entry, condition[0]) is string value && value == condition[1]);
                continue;
            }
            var map = (Dictionary<object, object>)at;
            if (change is not null && index == steps.Length - 1) map[step] = change((string)map[step]);
            at = map[step];
        }
        return at;
    }

    [GeneratedRegex(@"\[([^\]]+)\]|[^.\[\]]+")]
    private static partial Regex PathStep();
}
