using EcoLora.TestKit;
using YamlDotNet.Core;
using YamlDotNet.Core.Events;
using YamlDotNet.Serialization;

namespace EcoLora.EndToEnd.Tests.Hub;

/// <summary>An app of dapr.yaml.</summary>
/// <param name="AppId">Its app id.</param>
/// <param name="AppPort">The port that it binds.</param>
/// <param name="HttpPort">Its sidecar's port.</param>
/// <param name="Program">The program, relative to the repository.</param>
/// <param name="Environment">Its variables, the common ones included.</param>
internal sealed record DaprApp(string AppId, int AppPort, int HttpPort, string Program, IReadOnlyDictionary<string, string> Environment)
{
    /// <summary>Scheduler, Aggregator, Codec or Trainer.</summary>
    public string Service => Path.GetFileNameWithoutExtension(Program).Split('.')[^1];
}

/// <summary>The files that others read: as what they are, maps, lists and texts.</summary>
internal static class DaprYaml
{
    /// <summary>A file of the repository as maps, lists and texts.</summary>
    public static Dictionary<object, object> Read(string file) =>
        new DeserializerBuilder().Build().Deserialize<Dictionary<object, object>>(File.ReadAllText(Path.Combine(Repository.Root, file)));

    /// <summary>A file's documents, with what merge keys (<c>&lt;&lt;</c>) bring.</summary>
    public static List<Dictionary<object, object>> ReadAll(string text)
    {
        var parser = new MergingParser(new Parser(new StringReader(text)));
        IDeserializer deserializer = new DeserializerBuilder().Build();
        var documents = new List<Dictionary<object, object>>();
        parser.Consume<StreamStart>();
        while (parser.Accept<DocumentStart>(out _)) documents.Add(deserializer.Deserialize<Dictionary<object, object>>(parser));
        return documents;
    }

    /// <summary>A member of a map that may lack it, or one of the maps on the way; null there.</summary>
    public static object? Find(object map, params string[] path) =>
        path.Aggregate((object?)map, (at, key) => at is Dictionary<object, object> inner && inner.TryGetValue(key, out object? value) ? value : null);

    /// <summary>A list in a map that may lack it; empty there.</summary>
    public static List<object> ListOrNone(object map, params string[] path) => (List<object>?)Find(map, path) ?? [];

    /// <summary>A member of a map.</summary>
    public static object At(object map, params string[] path) => path.Aggregate(map, (at, key) => ((Dictionary<object, object>)at)[key]);

    /// <summary>A text in a map.</summary>
    public static string Text(object map, params string[] path) => (string)At(map, path);

    /// <summary>A list in a map.</summary>
    public static List<object> List(object map, params string[] path) => (List<object>)At(map, path);

    /// <summary>A map of texts in a map.</summary>
    public static Dictionary<string, string> Texts(object map, params string[] path) =>
        ((Dictionary<object, object>)At(map, path)).ToDictionary(pair => (string)pair.Key, pair => (string)pair.Value);

    /// <summary>The apps of dapr.yaml.</summary>
    public static List<DaprApp> Apps()
    {
        Dictionary<object, object> file = Read("dapr.yaml");
        Dictionary<string, string> common = Texts(file, "common", "env");
        return [.. List(file, "apps").Select(app => new DaprApp(
            Text(app, "appID"), int.Parse(Text(app, "appPort")), int.Parse(Text(app, "daprHTTPPort")), (string)List(app, "command")[1],
            Texts(app, "env").Concat(common).ToDictionary()))];
    }
}
