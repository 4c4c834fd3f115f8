using System.Collections;

namespace EcoLora.DaprSidecar;

/// <summary>/v1.0/secrets/{store}: of secretstores.local.env, an environment variable of this process a secret. An absent one is empty, not an error.</summary>
internal sealed class SecretApi(IReadOnlyList<Component> stores)
{
    public void Map(WebApplication api)
    {
        api.MapGet("/v1.0/secrets/{store}/bulk", (string store) => Of(store, known =>
        {
            string prefix = known["prefix"] ?? "";
            return Environment.GetEnvironmentVariables().Cast<DictionaryEntry>().Select(v => (string)v.Key)
                .Where(name => name.StartsWith(prefix, StringComparison.Ordinal) && name.Length > prefix.Length && SecretReference.IsAllowed(name))
                .Select(name => name[prefix.Length..])
                .ToDictionary(name => name, name => new Dictionary<string, string> { [name] = Value(known, name) });
        }));
        api.MapGet("/v1.0/secrets/{store}/{key}", (string store, string key) => Of(store, known => Read(known, key)));
    }

    /// <summary>A store by its name; else why there is none.</summary>
    public ApiFailure? Find(string name, out Component? store)
    {
        store = stores.FirstOrDefault(s => s.Name == name);
        if (stores.Count == 0) return new(500, "ERR_SECRET_STORES_NOT_CONFIGURED", "secret store is not configured");
        return store is not null ? null : new(401, "ERR_SECRET_STORE_NOT_FOUND", $"failed finding secret store with key {name}");
    }

    /// <summary>A secret: its value by its own name.</summary>
    public static Dictionary<string, string> Read(Component store, string key) => new() { [key] = Value(store, key) };

    private static string Value(Component store, string name) => new SecretReference("", name, name).Value(store);

    private IResult Of(string name, Func<Component, object> read) => Find(name, out Component? store) is { } failure ? failure.Answer : Results.Json(read(store!));
}
