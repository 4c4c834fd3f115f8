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

    private async Task<IResult> GuardAsync(string name, Func<RedisStateStore, Task<IResult>> act)
    {
        if (stores.Count == 0) return ApiAnswer.Error(500, "ERR_STATE_STORE_NOT_CONFIGURED", "state store is not configured");
        if (!stores.TryGetValue(name, out RedisStateStore? store)) return ApiAnswer.Error(400, "ERR_STATE_STORE_NOT_FOUND", $"state store {name} is not found");
        try
        {
            return await act(store);
        }
        catch (Exception error) when (error is JsonException or FormatException or InvalidOperationException or KeyNotFoundException)
        {
            return ApiAnswer.Error(400, "ERR_MALFORMED_REQUEST", error.Message);
        }
        catch (Exception error) when (error is RedisException or TimeoutException)
        {
            return ApiAnswer.Error(500, "ERR_STATE_STORE", error.Message);
        }
    }

    private static async Task<IResult> GetAsync(RedisStateStore store, string key, HttpContext context)
    {
        if (await store.GetAsync(Checked(key)) is not { } value) return Results.NoContent();
        context.Response.Headers.ETag = value.ETag;
        return Results.Bytes(value.Data, "application/json");
    }

    private static async Task<IResult> DeleteAsync(RedisStateStore store, string key, HttpRequest request)
    {
        string? etag = request.Headers.IfMatch.Count > 0 ? request.Headers.IfMatch.ToString().Trim('"') : null;
        StateChange change = new(Checked(key), null, CheckedETag(etag), FirstWrite: false, null);
        return await store.ChangeAsync([change]) is null ? Results.NoContent() : Mismatch("ERR_STATE_DELETE", key);
    }

    private async Task<IResult> SaveAsync(RedisStateStore store, HttpRequest request)
    {
        if (await ApiAnswer.BodyAsync(request, options.MaxBodySize) is not { } body) return ApiAnswer.TooLarge(options.MaxBodySize);
        using JsonDocument document = JsonDocument.Parse(body);
        StateChange[] changes = [.. document.RootElement.EnumerateArray().Select(item => Change(item, delete: false))];
        // Without a transaction each key is on its own: those before a failure stay written.
        foreach (StateChange change in changes)
            if (await store.ChangeAsync([change]) is not null)
                return Mismatch("ERR_STATE_SAVE", change.Key);
        return Results.NoContent();
    }

    private async Task<IResult> GetManyAsync(RedisStateStore store, HttpRequest request)
    {
        if (await ApiAnswer.BodyAsync(request, options.MaxBodySize) is not { } body) return ApiAnswer.TooLarge(options.MaxBodySize);
        using JsonDocument document = JsonDocument.Parse(body);
        List<object> items = [];
        foreach (string key in document.RootElement.GetProperty("keys").EnumerateArray().Select(k => Checked(k.GetString() ?? "")))
        {
            StateValue? value = await store.GetAsync(key);
            items.Add(value is null ? new { key } : new { key, data = JsonSerializer.Deserialize<JsonElement>(value.Data), etag = value.ETag });
        }
        return Results.Json(items);
    }

    private async Task<IResult> TransactAsync(RedisStateStore store, HttpRequest request)
    {
        if (await ApiAnswer.BodyAsync(request, options.MaxBodySize) is not { } body) return ApiAnswer.TooLarge(options.MaxBodySize);
        using JsonDocument document = JsonDocument.Parse(body);
        List<StateChange> changes = [];
        foreach (JsonElement operation in document.RootElement.GetProperty("operations").EnumerateArray())
        {
            string? kind = operation.GetProperty("operation").GetString();
            if (kind is not ("upsert" or "delete")) return ApiAnswer.Error(400, "ERR_NOT_SUPPORTED_STATE_OPERATION", $"operation type {kind} not supported");
            changes.Add(Change(operation.GetProperty("request"), delete: kind == "delete"));
        }
        return await store.ChangeAsync(changes) is { } failed
            ? ApiAnswer.Error(500, "ERR_STATE_TRANSACTION", $"error while executing state transaction: failed to set key {failed.Key}")
            : Results.NoContent();
    }

    private static StateChange Change(JsonElement item, bool delete)
    {
        byte[]? value = delete ? null : item.TryGetProperty("value", out JsonElement json) ? GoJson.Marshal(json) : "null"u8.ToArray();
        string? etag = item.TryGetProperty("etag", out JsonElement tag) && tag.ValueKind == JsonValueKind.String ? CheckedETag(tag.GetString()) : null;
        string? concurrency = item.TryGetProperty("options", out JsonElement o) && o.ValueKind == JsonValueKind.Object
            && o.TryGetProperty("concurrency", out JsonElement c)
            ? c.GetString()
            : null;
        if (concurrency is not (null or "" or "first-write" or "last-write"))
            throw new FormatException($"concurrency: expected first-write or last-write, found {concurrency}");
        int? ttl = item.TryGetProperty("metadata", out JsonElement m) && m.ValueKind == JsonValueKind.Object
            && m.TryGetProperty("ttlInSeconds", out JsonElement t)
            ? int.Parse(t.GetString() ?? "", CultureInfo.InvariantCulture)
            : null;
        // last-write asks nothing of the version, whatever ETag comes along.
        return new(Checked(item.GetProperty("key").GetString() ?? ""), value, concurrency == "last-write" ? null : etag, concurrency == "first-write", ttl);
    }

    private static string Checked(string key) => key.Length > 0 && !key.Contains("||", StringComparison.Ordinal)
        ? key
        : throw new FormatException($"key: expected a name without ||, found '{key}'");

    private static string? CheckedETag(string? etag) => etag is null or "" || long.TryParse(etag, NumberStyles.None, CultureInfo.InvariantCulture, out _)
        ? etag
        : throw new FormatException($"possible etag mismatch. error from state store: invalid etag value {etag}");

    private static IResult Mismatch(string code, string key) =>
        ApiAnswer.Error(409, code, $"possible etag mismatch. error from state store: failed to change key {key}");
}
