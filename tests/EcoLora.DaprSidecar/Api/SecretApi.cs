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
        api.MapGet("/v1.0/secrets/{store}/{key}", (string store, string key) =>
            Of(store, known => new Dictionary<string, string> { [key] = Value(known, key) }));
    }

    private static string Value(Component store, string name) => new SecretReference("", name, name).Value(store);

    private IResult Of(string name, Func<Component, object> read)
    {
        if (stores.Count == 0) return ApiAnswer.Error(500, "ERR_SECRET_STORES_NOT_CONFIGURED", "secret store is not configured");
        return stores.FirstOrDefault(s => s.Name == name) is { } store
            ? Results.Json(read(store))
            : ApiAnswer.Error(401, "ERR_SECRET_STORE_NOT_FOUND", $"failed finding secret store with key {name}");
    }
}
