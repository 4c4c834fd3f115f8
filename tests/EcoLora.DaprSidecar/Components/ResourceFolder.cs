using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace EcoLora.DaprSidecar;

/// <summary>A component file: name, type, version and its metadata as text.</summary>
internal sealed record Component(string Name, string Type, string Version, Dictionary<string, string> Metadata)
{
    /// <summary>A metadata value, or null where it is absent or empty.</summary>
    public string? this[string key] => Metadata.TryGetValue(key, out string? value) && value.Length > 0 ? value : null;
}

/// <summary>What the YAML files of a folder declare for one app id.</summary>
internal sealed class ResourceFolder
{
    public const string EnvironmentStore = "secretstores.local.env";
    private static readonly string[] KnownTypes = ["pubsub.redis", "pubsub.rabbitmq", "pubsub.kafka", "state.redis", EnvironmentStore];
    private readonly List<(Component Component, string Store, SecretReference[] References)> _secrets = [];

    public List<Component> Components { get; } = [];

    public List<TopicSubscription> Subscriptions { get; } = [];

    public Resiliency Resiliency { get; } = new();

    public static ResourceFolder Read(string? path, string appId)
    {
        ResourceFolder folder = new();
        if (path is null) return folder;
        if (!Directory.Exists(path)) throw new FormatException($"--resources-path: expected a folder, found none at {path}");
        foreach (string file in Directory.EnumerateFiles(path)
            .Where(f => f.EndsWith(".yaml", StringComparison.Ordinal) || f.EndsWith(".yml", StringComparison.Ordinal))
            .Order(StringComparer.Ordinal))
        {
            YamlStream stream = [];
            try
            {
                using StreamReader reader = new(file);
                stream.Load(reader);
            }
            catch (YamlException error)
            {
                throw new FormatException($"{file}: {error.Message}", error);
            }
            foreach (YamlDocument document in stream.Documents)
                if (document.RootNode is YamlMappingNode root)
                    folder.Add(new YamlMap(root, file), appId);
        }
        folder.FillInSecrets();
        return folder;
    }

    /// <summary>Once all files are read, since a secret store may come after those who use it. daprd waits for a store that is missing, for ever.</summary>
    private void FillInSecrets()
    {
        foreach ((Component component, string store, SecretReference[] references) in _secrets)
        {
            Component known = Components.Find(c => c.Name == store && c.Type == EnvironmentStore)
                ?? throw new FormatException($"component {component.Name}: expected a secret store named '{store}', found none");
            foreach (SecretReference reference in references)
                if (reference.Value(known) is { Length: > 0 } value)
                    component.Metadata[reference.Metadata] = value;
        }
    }

    private void Add(YamlMap root, string appId)
    {
        YamlMap spec = root.Map("spec");
        string[] scopes = [.. root.Texts("scopes")];
        if (scopes.Length > 0 && !scopes.Contains(appId)) return;
        string name = root.Map("metadata").Text("name") ?? "";
        switch (root.Text("kind"))
        {
            case "Component":
                AddComponent(root, spec, name, appId);
                break;
            case "Resiliency":
                Resiliency.Add(spec);
                break;
            case "Subscription":
                Subscriptions.Add(TopicSubscription.Declared(spec));
                break;
            case "Configuration" or null:
                break;
            case { } kind:
                throw new FormatException($"{root.File}: expected Component, Resiliency, Subscription or Configuration, found {kind}");
        }
    }

    private void AddComponent(YamlMap root, YamlMap spec, string name, string appId)
    {
        YamlMap[] metadata = [.. spec.Maps("metadata")];
        Component component = new(name, spec.Text("type") ?? "", spec.Text("version") ?? "v1", metadata
            .ToDictionary(m => m.Text("name") ?? "", m => (m.Text("value") ?? "").Replace("{appID}", appId, StringComparison.Ordinal),
                StringComparer.OrdinalIgnoreCase));
        if (!KnownTypes.Contains(component.Type))
            throw new FormatException($"{root.File}: expected one of {string.Join(", ", KnownTypes)}, found {component.Type}");
        Components.Add(component);
        SecretReference[] references = [.. metadata.Where(m => m.Keys.Contains("secretKeyRef"))
            .Select(m => SecretReference.Of(m.Text("name") ?? "", m.Map("secretKeyRef"), root.File))];
        if (references.Length > 0) _secrets.Add((component, root.Map("auth").Text("secretStore") ?? "", references));
    }
}

/// <summary>A YAML mapping whose absent members read as empty.</summary>
internal sealed class YamlMap(YamlMappingNode? node, string file)
{
    public string File => file;

    public IEnumerable<string> Keys => node?.Children.Keys.OfType<YamlScalarNode>().Select(k => k.Value ?? "") ?? [];

    public string? Text(string key) => (Child(key) as YamlScalarNode)?.Value;

    public YamlMap Map(string key) => new(Child(key) as YamlMappingNode, file);

    public IEnumerable<YamlMap> Maps(string key) =>
        Child(key) is YamlSequenceNode list ? list.Children.OfType<YamlMappingNode>().Select(m => new YamlMap(m, file)) : [];

    public IEnumerable<string> Texts(string key) =>
        Child(key) is YamlSequenceNode list ? list.Children.OfType<YamlScalarNode>().Select(s => s.Value ?? "") : [];

    public Dictionary<string, string> AllTexts() => Keys.ToDictionary(k => k, k => Text(k) ?? "", StringComparer.Ordinal);

    private YamlNode? Child(string key) => node is not null && node.Children.TryGetValue(new YamlScalarNode(key), out YamlNode? child) ? child : null;
}
