namespace EcoLora.DaprSidecar;

/// <summary>A component's metadata value that a secret store knows: <c>secretKeyRef: {name, key}</c>.</summary>
/// <param name="Metadata">The metadata's name.</param>
/// <param name="Name">The secret's name.</param>
/// <param name="Key">The key inside the secret; the name unless told.</param>
internal sealed record SecretReference(string Metadata, string Name, string Key)
{
    public static SecretReference Of(string metadata, YamlMap reference, string file)
    {
        string name = reference.Text("name") ?? throw new FormatException($"{file}: expected a name in the secretKeyRef of {metadata}, found none");
        return new(metadata, name, reference.Text("key") is { Length: > 0 } key ? key : name);
    }

    /// <summary>
    /// The value that secretstores.local.env gives: an environment variable of this process. An absent one, one of Dapr's own and a key that is not the
    /// variable's name are empty, and the metadata is as if it had not been set.
    /// </summary>
    public string Value(Component store)
    {
        string variable = store["prefix"] + Name;
        return Key == Name && IsAllowed(variable) ? Environment.GetEnvironmentVariable(variable) ?? "" : "";
    }

    /// <summary>Whether a variable is not one of Dapr's own.</summary>
    public static bool IsAllowed(string variable) => variable.ToUpperInvariant() is var upper && upper != "APP_API_TOKEN"
        && !upper.StartsWith("DAPR_", StringComparison.Ordinal);
}
