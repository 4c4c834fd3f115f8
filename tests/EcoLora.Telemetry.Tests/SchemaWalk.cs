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
            JsonElement wanted = keyword.Value;
            bool isNumber = value.ValueKind == JsonValueKind.Number;
            bool isArray = value.ValueKind == JsonValueKind.Array;
            bool isObject = value.ValueKind == JsonValueKind.Object;
            string? fault = keyword.Name switch
            {
                "$ref" => Follow(wanted.GetString()!, value, path),
                "type" => Fault(Types(wanted).Any(type => Is(value, type))),
                "const" => Fault(JsonElement.DeepEquals(wanted, value)),
                "enum" => Fault(wanted.EnumerateArray().Any(item => JsonElement.DeepEquals(item, value))),
                "minimum" => Fault(!isNumber || value.GetDouble() >= wanted.GetDouble()),
                "maximum" => Fault(!isNumber || value.GetDouble() <= wanted.GetDouble()),
                "exclusiveMinimum" => Fault(!isNumber || value.GetDouble() > wanted.GetDouble()),
                "pattern" => Fault(value.ValueKind != JsonValueKind.String || Regex.IsMatch(value.GetString()!, wanted.GetString()!)),
                "minItems" => Fault(!isArray || value.GetArrayLength() >= wanted.GetInt32()),
                "required" => isObject ? Missing(wanted, value) : null,
                "additionalProperties" => isObject ? Unknown(schema.GetProperty("properties"), value) : null,
                "properties" => Properties(wanted, value, path),
                "items" => Items(wanted, value, path),
                "anyOf" => wanted.EnumerateArray().Any(option => Fits(option, value)) ? null : AnyOf(wanted, value, path),
                _ => $"the schema has a keyword that the walk does not know: {keyword.Name}",
            };
            if (fault is not null) _faults.Add($"{path}: {fault}");

            string? Fault(bool fits) => fits ? null : $"expected {keyword.Name} {wanted}, found {value}";
        }
    }

    private static string? Missing(JsonElement names, JsonElement value) =>
        names.EnumerateArray().Select(name => name.GetString()!).Where(name => !value.TryGetProperty(name, out _))
            .Select(name => $"lacks {name}").FirstOrDefault();

    private static string? Unknown(JsonElement properties, JsonElement value) =>
        value.EnumerateObject().Where(member => !properties.TryGetProperty(member.Name, out _))
            .Select(member => $"has the unknown {member.Name}").FirstOrDefault();

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
