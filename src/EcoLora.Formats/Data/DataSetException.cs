namespace EcoLora.Formats.Data;

/// <summary>
/// An instruction data set that cannot be read. The message is one line and names the file, the place in it, what was expected and what was
/// found: <c>tasks.jsonl: line 3, field 'context': expected a string, found a number</c>.
/// </summary>
public sealed class DataSetException : FormatException
{
    /// <summary>Describes what is wrong with a file.</summary>
    /// <param name="file">Path of the file, as the caller named it.</param>
    /// <param name="place">Line, element and field, such as <c>line 3, field 'context'</c>; empty for the file as a whole.</param>
    /// <param name="expected">What the place should hold.</param>
    /// <param name="found">What it holds.</param>
    /// <param name="cause">The error that the parser or decompressor raised, if one did.</param>
    public DataSetException(string file, string place, string expected, string found, Exception? cause = null)
        : base(place.Length == 0 ? $"{file}: expected {expected}, found {found}" : $"{file}: {place}: expected {expected}, found {found}", cause)
    {
        File = file;
        Place = place;
    }

    /// <summary>Path of the file.</summary>
    public string File { get; }

    /// <summary>Line, element and field, or empty for the file as a whole.</summary>
    public string Place { get; }
}
