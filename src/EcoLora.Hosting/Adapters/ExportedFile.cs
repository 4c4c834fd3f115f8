namespace EcoLora.Hosting;

/// <summary>A file of what a finished run comes to, as the aggregator lists it.</summary>
/// <param name="Name">Its name, or its folder's and its own with a slash between: <c>adapter/adapter_config.json</c>.</param>
/// <param name="Bytes">Its length.</param>
public sealed record ExportedFile(string Name, long Bytes)
{
    /// <summary>What <see cref="IsName"/> takes.</summary>
    public const string NameRule = "a file, or a file of a folder, each " + AnnouncedOptions.FileNameRule;

    /// <summary>Whether a text can be such a name: one that leads nowhere else.</summary>
    public static bool IsName(string text) => text.Split('/') is { Length: 1 or 2 } parts && Array.TrueForAll(parts, AnnouncedOptions.IsFileName);
}
