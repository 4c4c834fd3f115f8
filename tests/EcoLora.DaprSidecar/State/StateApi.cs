using System.Globalization;
using System.Text.Json;
using StackExchange.Redis;

namespace EcoLora.DaprSidecar;

/// <summary>/v1.0/state/{store}: single keys, lists, bulk reads, transactions.</summary>
internal sealed class StateApi(SidecarOptions options, IReadOnlyDictionary<string, RedisStateStore> stores)
{
    public void Map(WebApplication api)
    {
        string[] write = ["POST", "PUT"];
        api.MapGet("/v1.0/state/{store}/{key}", (string store, string key, HttpContext context) => GuardAsync(store, s => GetAsync(s, key, context)));
        api.MapDelete("/v1.0/state/{store}/{key}", (string store, string key, HttpRequest request) => GuardAsync(store, s => DeleteAsync(s, key, request)));
        api.MapMethods("/v1.0/state/{store}", write, (string store, HttpRequest request) => GuardAsync(store, s => SaveAsync(s, request)));
        api.MapMethods("/v1.0/state/{store}/bulk", write, (string store, HttpRequest request) => GuardAsync(store, s => GetManyAsync(s, request)));
        api.MapMethods("/v1.0/state/{store}/transaction", write, (string store, HttpRequest request) => GuardAsync(store, s => TransactAsync(s, request)));
    }

    /// <summary>A store by its name; else why there is none.</summary>
    public ApiFailure? Find(string name, out RedisStateStore? store)
    {
        store = null;
        if (stores.Count == 0) return new(500, "ERR_STATE_STORE_NOT_CONFIGURED", "state store is not configured");
        return stores.TryGetValue(name, out store) ? null : new(400, "ERR_STATE_STORE_NOT_FOUND", $"state store {name} is not found");
    }

    /// <summary>All of them are tried, at once and each on its own: those that are not refused stay written. A mismatch goes before other refusals.</summary>
    public static async Task SaveAsync(RedisStateStore store, IEnumerable<StateChange> changes)
    {
        StateException?[] refusals = await Task.WhenAll(changes.Select(change => TryAsync(store, change)));
        if (Array.Find(refusals, r => r?.Status == 409) is { } mismatch) throw mismatch;
        if (Array.Find(refusals, r => r is not null) is { } refusal) throw refusal;
    }

    /// <summary>A key that the store takes.</summary>
    public static string Checked(string key) => key.Length > 0 && !key.Contains("||", StringComparison.Ordinal)
        ? key
        : throw new FormatException($"key: expected a name without ||, found '{key}'");

    /// <summary>Seconds until the key is to go, from an item's metadata.</summary>
    public static int? Ttl(IReadOnlyDictionary<string, string> metadata)
    {
        if (!metadata.TryGetValue("ttlInSeconds", out string? seconds) || seconds.Length == 0) return null;
        return int.TryParse(seconds, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out int number)
            ? number
            : throw new StateException(500, $"failed to parse ttl from metadata: expected a number, found {seconds}");
    }

    /// <summary>Whether a store that could not be read, or has refused, is the reason.</summary>
    public static bool IsFailure(Exception error) => error is RedisException or TimeoutException or StateException;

    private async Task<IResult> GuardAsync(string name, Func<RedisStateStore, Task<IResult>> act)
    {
        if (Find(name, out RedisStateStore? store) is { } failure) return failure.Answer;
        try
        {
            return await act(store!);
        }
        catch (Exception error) when (error is JsonException or FormatException or InvalidOperationException or KeyNotFoundException)
        {
            return ApiAnswer.Error(400, "ERR_MALFORMED_REQUEST", error.Message);
        }
    }

    private static async Task<IResult> GetAsync(RedisStateStore store, string key, HttpContext context)
    {
        try
        {
            if (await store.GetAsync(Checked(key)) is not { } value) return Results.NoContent();
            if (value.ETag is { } etag) context.Response.Headers.ETag = etag;
            return Results.Bytes(value.Data, "application/json");
        }
        catch (Exception error) when (IsFailure(error))
        {
            return ApiAnswer.Error(500, "ERR_STATE_GET", $"fail to get {key} from state store {store.Component.Name}: {error.Message}");
        }
    }

    private static async Task<IResult> DeleteAsync(RedisStateStore store, string key, HttpRequest request)
    {
        // The header as it comes: "1" in quotation marks is another version than 1.
        string? etag = request.Headers.IfMatch.Count > 0 ? request.Headers.IfMatch.ToString() : null;
        try
        {
            await store.ChangeAsync(new(Checked(key), null, etag, CheckedConcurrency(request.Query["concurrency"]), null));
            return Results.NoContent();
        }
        catch (StateException error)
        {
            return ApiAnswer.Error(error.Status, "ERR_STATE_DELETE", $"failed deleting state with key {key}: {error.Message}");
        }
    }

    private async Task<IResult> SaveAsync(RedisStateStore store, HttpRequest request)
    {
        if (await ApiAnswer.BodyAsync(request, options.MaxBodySize) is not { } body) return ApiAnswer.TooLarge(options.MaxBodySize);
        using JsonDocument document = JsonDocument.Parse(body);
        Dictionary<string, string> metadata = ApiAnswer.Metadata(request);
        try
        {
            StateChange[] changes = [.. document.RootElement.EnumerateArray().Select(item => Change(item, delete: false, metadata))];
            await SaveAsync(store, changes);
            return Results.NoContent();
        }
        catch (StateException error)
        {
            return ApiAnswer.Error(error.Status, "ERR_STATE_SAVE", $"failed saving state in state store {store.Component.Name}: {error.Message}");
        }
    }

    private static async Task<StateException?> TryAsync(RedisStateStore store, StateChange change)
    {
        try
        {
            CheckedConcurrency(change.Concurrency);
            await store.ChangeAsync(change);
            return null;
        }
        catch (StateException refusal)
        {
            return refusal;
        }
    }

    private async Task<IResult> GetManyAsync(RedisStateStore store, HttpRequest request)
    {
        if (await ApiAnswer.BodyAsync(request, options.MaxBodySize) is not { } body) return ApiAnswer.TooLarge(options.MaxBodySize);
        using JsonDocument document = JsonDocument.Parse(body);
        if (!document.RootElement.TryMember("keys", out JsonElement keys) || keys.ValueKind != JsonValueKind.Array) return Results.Json(Array.Empty<object>());
        return Results.Json(await Task.WhenAll(keys.EnumerateArray().Select(k => Checked(k.GetString() ?? "")).Select(key => ItemAsync(store, key))));
    }

    private static async Task<object> ItemAsync(RedisStateStore store, string key)
    {
        try
        {
            return await store.GetAsync(key) switch
            {
                null => new { key },
                { ETag: null } value => new { key, data = JsonSerializer.Deserialize<JsonElement>(value.Data) },
                { ETag: { } etag } value => new { key, data = JsonSerializer.Deserialize<JsonElement>(value.Data), etag },
            };
        }
        catch (Exception error) when (IsFailure(error))
        {
            return new { key, error = error.Message };
        }
    }

    private async Task<IResult> TransactAsync(RedisStateStore store, HttpRequest request)
    {
        if (await ApiAnswer.BodyAsync(request, options.MaxBodySize) is not { } body) return ApiAnswer.TooLarge(options.MaxBodySize);
        using JsonDocument document = JsonDocument.Parse(body);
        Dictionary<string, string> metadata = ApiAnswer.Metadata(request);
        List<StateChange> changes = [];
        try
        {
            if (document.RootElement.TryMember("operations", out JsonElement operations) && operations.ValueKind == JsonValueKind.Array)
            {
                foreach (JsonElement operation in operations.EnumerateArray())
                {
                    string? kind = operation.Text("operation");
                    if (kind is not ("upsert" or "delete"))
                        return ApiAnswer.Error(400, "ERR_NOT_SUPPORTED_STATE_OPERATION", $"operation type {kind} not supported");
                    changes.Add(Change(operation.TryMember("request", out JsonElement item) ? item : default, delete: kind == "delete", metadata));
                }
            }
            if (changes.Count > 0) await store.TransactAsync(changes);
            return Results.NoContent();
        }
        catch (StateException error)
        {
            return ApiAnswer.Error(500, "ERR_STATE_TRANSACTION", $"error while executing state transaction: {error.Message}");
        }
    }

    /// <summary>One item of a request; the request's own metadata goes before the item's.</summary>
    private static StateChange Change(JsonElement item, bool delete, Dictionary<string, string> common)
    {
        byte[]? value = delete ? null : item.TryMember("value", out JsonElement json) ? GoJson.Marshal(json) : "null"u8.ToArray();
        Dictionary<string, string> metadata = item.Texts("metadata");
        foreach ((string name, string text) in common) metadata[name] = text;
        string? concurrency = item.TryMember("options", out JsonElement o) && o.ValueKind != JsonValueKind.Null ? o.Text("concurrency") : null;
        return new(Checked(item.Text("key") ?? ""), value, item.Text("etag"), concurrency ?? "", Ttl(metadata));
    }

    private static string CheckedConcurrency(string? concurrency) => concurrency is null or "" or "first-write" or "last-write"
        ? concurrency ?? ""
        : throw new StateException(500, $"unrecognized concurrency model '{concurrency}'");
}
