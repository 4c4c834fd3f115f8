using System.Text.Json.Serialization;

namespace EcoLora.Messaging.Dapr;

/// <summary>What a secret store answers: values by name, of which there may be several under one secret.</summary>
public static class SecretValues
{
    /// <summary>The value of the secret's own name, else that of the first name in ordinal order; null where it is empty or there is none.</summary>
    public static string? Pick(IReadOnlyDictionary<string, string> values, string name)
    {
        ArgumentNullException.ThrowIfNull(values);
        return (values.TryGetValue(name, out string? named) ? named : values.OrderBy(value => value.Key, StringComparer.Ordinal).Select(value => value.Value).FirstOrDefault()) is { Length: > 0 } value ? value : null;
    }
}

[JsonSerializable(typeof(Dictionary<string, string>))]
internal sealed partial class SecretJson : JsonSerializerContext;
