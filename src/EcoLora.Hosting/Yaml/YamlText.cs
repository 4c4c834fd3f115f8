using System.Text;
using YamlDotNet.Core;
using YamlDotNet.Core.Events;

namespace EcoLora.Hosting;

/// <summary>
/// Reads the part of YAML that option files need: one document of maps, lists and single values. Anchors, aliases, tags, keys that are not
/// texts and keys that occur twice are refused, and so are files above 1 MiB and more than 8 levels: what is read never grows beyond what
/// was written.
/// </summary>
public sealed class YamlText
{
    /// <summary>Largest file, in bytes.</summary>
    public const int LargestFile = 1 << 20;

    private const int DeepestLevel = 8;

    private readonly string _source;
    private readonly bool _isFile;
    private readonly Parser _parser;

    private YamlText(string source, bool isFile, string text) => (_source, _isFile, _parser) = (source, isFile, new Parser(new StringReader(text)));

    /// <summary>Reads a file.</summary>
    /// <param name="path">The file.</param>
    /// <returns>The root: a map, or an empty one for a file without a value.</returns>
    /// <exception cref="OptionsException">The file is missing, too large, not UTF-8, or not such YAML.</exception>
    public static YamlMap ReadFile(string path) => ReadText(path, Decode(path, ReadBytes(path)));

    /// <summary>Reads a text as the content of a file.</summary>
    /// <param name="source">What the text is called in a refusal.</param>
    /// <param name="text">The YAML, of at most <see cref="LargestFile"/> characters.</param>
    /// <returns>As for a file.</returns>
    /// <exception cref="OptionsException">Too large, or not such YAML.</exception>
    public static YamlMap ReadText(string source, string text)
    {
        if (text.Length > LargestFile) throw new OptionsException($"{source}: expected at most {LargestFile} characters, found {text.Length}");
        YamlNode root = new YamlText(source, isFile: true, text).ReadDocument();
        return root switch
        {
            YamlMap map => map,
            YamlScalar { IsEmpty: true } => new YamlMap([], 1, 1),
            _ => throw new OptionsException($"{source}:{root.Line}:{root.Column}: expected options as 'key: value' lines, found {root.Description}"),
        };
    }

    /// <summary>Reads one value from the command line.</summary>
    /// <param name="source">What the text is called in a refusal.</param>
    /// <param name="text">The YAML.</param>
    /// <exception cref="OptionsException">Not such YAML.</exception>
    public static YamlNode ReadValue(string source, string text) => new YamlText(source, isFile: false, text).ReadDocument();

    private static byte[] ReadBytes(string path)
    {
        try
        {
            using FileStream file = File.OpenRead(path);
            byte[] bytes = new byte[LargestFile + 1];
            int length = file.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false);
            if (length > LargestFile) throw new OptionsException($"{path}: expected at most {LargestFile} bytes, found more");
            return bytes[..length];
        }
        catch (Exception refused) when (refused is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new OptionsException($"{path}: no such file");
        }
        catch (UnauthorizedAccessException)
        {
            throw new OptionsException(Directory.Exists(path) ? $"{path}: expected a file, found a folder" : $"{path}: not readable");
        }
    }

    private static string Decode(string path, byte[] bytes)
    {
        try
        {
            return new UTF8Encoding(false, throwOnInvalidBytes: true).GetString(bytes).TrimStart('\uFEFF');
        }
        catch (DecoderFallbackException refused)
        {
            throw new OptionsException($"{path}: expected UTF-8 text, found another byte at offset {refused.Index}");
        }
    }

    private static string OneLine(string message) => string.Join(' ', message.Split(['\r', '\n'], StringSplitOptions.RemoveEmptyEntries));

    private YamlNode ReadDocument()
    {
        Next();
        if (Next() is StreamEnd) return new YamlScalar("", true, 1, 1);
        Next();
        YamlNode root = ReadNode(0);
        Next();
        if (Next() is not StreamEnd) throw Refuse(_parser.Current!, "one document", "another one");
        return root;
    }

    /// <summary>The next event. Text is the parser's only input, so whatever it throws is about the text (not only its own exceptions).</summary>
    private ParsingEvent Next()
    {
        try
        {
            return _parser.MoveNext() && _parser.Current is { } next ? next : throw new YamlException("unexpected end");
        }
        catch (YamlException refused)
        {
            throw new OptionsException($"{Place(refused.Start)}: not valid YAML: {OneLine(refused.Message)}");
        }
        catch (Exception refused) when (refused is InvalidOperationException or ArgumentException or IndexOutOfRangeException
            or FormatException or OverflowException)
        {
            throw new OptionsException($"{Place(_parser.Current?.Start ?? Mark.Empty)}: not valid YAML after this place");
        }
    }

    private YamlNode ReadNode(int level)
    {
        ParsingEvent start = _parser.Current!;
        if (start is AnchorAlias) throw Refuse(start, "a value", "an alias (*), which option files do not use");
        if (start is NodeEvent { Anchor.IsEmpty: false }) throw Refuse(start, "a value", "an anchor (&), which option files do not use");
        if (start is NodeEvent { Tag.IsEmpty: false }) throw Refuse(start, "a value", "a tag (!), which option files do not use");
        if (level > DeepestLevel) throw Refuse(start, $"at most {DeepestLevel} levels", "more");
        return start switch
        {
            Scalar scalar => new YamlScalar(scalar.Value, scalar.Style == ScalarStyle.Plain, Line(start), Column(start)),
            SequenceStart => ReadList(start, level),
            _ => ReadMap(start, level),
        };
    }

    private YamlList ReadList(ParsingEvent start, int level)
    {
        var items = new List<YamlNode>();
        while (Next() is not SequenceEnd) items.Add(ReadNode(level + 1));
        return new YamlList(items, Line(start), Column(start));
    }

    private YamlMap ReadMap(ParsingEvent start, int level)
    {
        var entries = new List<YamlEntry>();
        var lines = new Dictionary<string, int>(StringComparer.Ordinal);
        while (Next() is not MappingEnd)
        {
            if (ReadNode(level + 1) is not YamlScalar key) throw Refuse(start, "a key", "a list or a group as key");
            if (!lines.TryAdd(key.Text, key.Line)) throw Refuse(_parser.Current!, $"'{key.Text}' once", $"it here and in line {lines[key.Text]}");
            Next();
            entries.Add(new YamlEntry(key, ReadNode(level + 1)));
        }
        return new YamlMap(entries, Line(start), Column(start));
    }

    private OptionsException Refuse(ParsingEvent place, string expected, string found) =>
        new($"{Place(place.Start)}: expected {expected}, found {found}");

    private string Place(Mark mark) => _isFile ? $"{_source}:{mark.Line}:{mark.Column}" : _source;

    private static int Line(ParsingEvent place) => (int)place.Start.Line;

    private static int Column(ParsingEvent place) => (int)place.Start.Column;
}
