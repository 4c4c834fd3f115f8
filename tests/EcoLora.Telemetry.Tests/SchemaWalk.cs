using System.Text.Json;
using System.Text.RegularExpressions;

namespace EcoLora.Telemetry.Tests;

/// <summary>Checks a document against the part of JSON Schema 2020-12 that docs/report.schema.json uses; a keyword that it does not know is an error.</summary>
internal sealed class SchemaWalk(JsonElement root)
{
    private static readonly HashSet<string> Annotations = ["$schema", "$id", "$defs", "title", "description", "format"];

    private readonly List<string> _faults = [];

    public IReadOnlyList<string> Check(JsonElement document)
    {
        _faults.Clear();
        Walk(root, document, "$");
        return _faults;
    }

    private void Walk(JsonElement schema, JsonElement value, string path)
    {
        foreach (JsonProperty keyword in schema.EnumerateObject())
        {
            if (Annotations.Contains(keyword.Name)) continue;
            string? fault = keyword.Name switch
            {
                "$ref" => Follow(keyword.Value.GetString()!, value, path),
                "type" => Types(keyword.Value).Any(type => Is(value, type)) ? null : $"expected {keyword.Value}, found {value.ValueKind}",
                "const" => JsonElement.DeepEquals(keyword.Value, value) ? null : $"expected {keyword.Value}, found {value}",
                "enum" => keyword.Value.EnumerateArray().Any(item => JsonElement.DeepEquals(item, value)) ? null : $"expected one of {keyword.Value}, found {value}",
                "minimum" => value.ValueKind != JsonValueKind.Number || value.GetDouble() >= keyword.Value.GetDouble() ? null : $"expected at least {keyword.Value}, found {value}",
                "maximum" => value.ValueKind != JsonValueKind.Number || value.GetDouble() <= keyword.Value.GetDouble() ? null : $"expected at most {keyword.Value}, found {value}",
                "exclusiveMinimum" => value.ValueKind != JsonValueKind.Number || value.GetDouble() > keyword.Value.GetDouble() ? null : $"expected above {keyword.Value}, found {value}",
                "pattern" => value.ValueKind != JsonValueKind.String || Regex.IsMatch(value.GetString()!, keyword.Value.GetString()!) ? null : $"expected {keyword.Value}, found {value}",
                "minItems" => value.ValueKind != JsonValueKind.Array || value.GetArrayLength() >= keyword.Value.GetInt32() ? null : $"expected {keyword.Value} items",
                "required" => value.ValueKind == JsonValueKind.Object ? Missing(keyword.Value, value) : null,
                "additionalProperties" => value.ValueKind == JsonValueKind.Object ? Unknown(schema.GetProperty("properties"), value) : null,
                "properties" => Properties(keyword.Value, value, path),
                "items" => Items(keyword.Value, value, path),
                "anyOf" => keyword.Value.EnumerateArray().Any(option => Fits(option, value)) ? null : AnyOf(keyword.Value, value, path),
                _ => $"the schema has a keyword that the walk does not know: {keyword.Name}",
            };
            if (fault is not null) _faults.Add($"{path}: {fault}");
        }
    }

    private static string? Missing(JsonElement names, JsonElement value) =>
        names.EnumerateArray().Select(name => name.GetString()!).Where(name => !value.TryGetProperty(name, out _)).Select(name => $"lacks {name}").FirstOrDefault();

    private static string? Unknown(JsonElement properties, JsonElement value) =>
        value.EnumerateObject().Where(member => !properties.TryGetProperty(member.Name, out _)).Select(member => $"has the unknown {member.Name}").FirstOrDefault();

    private bool Fits(JsonElement schema, JsonElement value)
    {
        var apart = new SchemaWalk(root);
        apart.Walk(schema, value, "$");
        return apart._faults.Count == 0;
    }

    private string? AnyOf(JsonElement options, JsonElement value, string path)
    {
        Walk(options[0], value, path);
        return "fits no option";
    }

    private string? Follow(string reference, JsonElement value, string path)
    {
        Walk(root.GetProperty("$defs").GetProperty(reference["#/$defs/".Length..]), value, path);
        return null;
    }

    private string? Properties(JsonElement schemas, JsonElement value, string path)
    {
        foreach (JsonProperty schema in schemas.EnumerateObject())
            if (value.ValueKind == JsonValueKind.Object && value.TryGetProperty(schema.Name, out JsonElement member))
                Walk(schema.Value, member, $"{path}.{schema.Name}");
        return null;
    }

    private string? Items(JsonElement schema, JsonElement value, string path)
    {
        for (int i = 0; value.ValueKind == JsonValueKind.Array && i < value.GetArrayLength(); i++) Walk(schema, value[i], $"{path}[{i}]");
        return null;
    }

    private static IEnumerable<string> Types(JsonElement type) =>
        type.ValueKind == JsonValueKind.String ? [type.GetString()!] : type.EnumerateArray().Select(item => item.GetString()!);

    private static bool Is(JsonElement value, string type) => type switch
    {
        "object" => value.ValueKind == JsonValueKind.Object,
        "array" => value.ValueKind == JsonValueKind.Array,
        "string" => value.ValueKind == JsonValueKind.String,
        "boolean" => value.ValueKind is JsonValueKind.True or JsonValueKind.False,
        "null" => value.ValueKind == JsonValueKind.Null,
        "number" => value.ValueKind == JsonValueKind.Number,
        "integer" => value.ValueKind == JsonValueKind.Number && value.TryGetUInt64(out _),
        _ => false,
    };
}
