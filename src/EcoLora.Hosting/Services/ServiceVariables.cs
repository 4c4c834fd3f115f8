using System.Globalization;
using EcoLora.Federation;

namespace EcoLora.Hosting;

/// <summary>
/// A service's settings from environment variables, each with a default, checked when it is read. What was read is kept, so that the effective settings can be
/// logged; secrets are not read here.
/// </summary>
/// <param name="variable">Reads a variable; null or empty where there is none.</param>
public sealed class ServiceVariables(Func<string, string?> variable)
{
    private readonly SortedDictionary<string, string> _effective = new(StringComparer.Ordinal);

    /// <summary>What was read, defaults included.</summary>
    public IReadOnlyDictionary<string, string> Effective => _effective;

    /// <summary>A name of a-z, 0-9 and -.</summary>
    /// <exception cref="SettingException">The value is none.</exception>
    public string Name(string name, string fallback)
    {
        string value = Text(name, fallback);
        return RunPlan.IsName(value) ? value : throw new SettingException(name, RunPlan.NameRule, value);
    }

    /// <summary>A whole number.</summary>
    /// <exception cref="SettingException">The value is none, or outside the limits.</exception>
    public int Number(string name, int fallback, int least, int most)
    {
        string value = Text(name, fallback.ToString(CultureInfo.InvariantCulture));
        bool isNumber = int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out int number) && number >= least && number <= most;
        return isNumber ? number : throw new SettingException(name, $"a whole number of {least} to {most}", value);
    }

    /// <summary>One of a few words.</summary>
    /// <exception cref="SettingException">The value is none of them.</exception>
    public string Choice(string name, params ReadOnlySpan<string> words)
    {
        string value = Text(name, words[0]);
        return words.Contains(value) ? value : throw new SettingException(name, string.Join(" or ", words.ToArray()), value);
    }

    /// <summary>A path, made a full one.</summary>
    public string Path(string name, string fallback)
    {
        string path = System.IO.Path.GetFullPath(Text(name, fallback));
        _effective[name] = path;
        return path;
    }

    /// <summary>
    /// Files or folders by the name that run files call them: <c>path;path</c>, each known by its last part, or <c>name=path</c> for another name.
    /// </summary>
    /// <exception cref="SettingException">A path that is not there, or a name twice.</exception>
    public IReadOnlyDictionary<string, string> Places(string name)
    {
        var places = new SortedDictionary<string, string>(StringComparer.Ordinal);
        foreach (string entry in Text(name, "").Split(';', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
        {
            string[] parts = entry.Split('=', 2, StringSplitOptions.TrimEntries);
            if (parts[^1].Length == 0) throw new SettingException(name, "files or folders that are there", entry);
            string path = System.IO.Path.GetFullPath(parts[^1]), called = parts.Length == 2 ? parts[0] : AnnouncedOptions.NameOf(path);
            if (!System.IO.Path.Exists(path)) throw new SettingException(name, "files or folders that are there", parts[^1]);
            if (!AnnouncedOptions.IsFileName(called)) throw new SettingException(name, AnnouncedOptions.FileNameRule, called);
            if (!places.TryAdd(called, path)) throw new SettingException(name, "each name once", called);
        }
        return places;
    }

    /// <summary>Values by name: <c>name=value;name=value</c>.</summary>
    /// <param name="name">The variable.</param>
    /// <param name="expected">What it may be.</param>
    /// <param name="isSecret">Whether it is not kept with what was read, and not shown, not even a bad one.</param>
    /// <exception cref="SettingException">An entry without name or value, or a name twice.</exception>
    public Dictionary<string, string> Pairs(string name, string expected, bool isSecret)
    {
        var pairs = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (string entry in ((isSecret ? Secret(name) : Text(name, "")) ?? "").Split(';', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
        {
            string[] parts = entry.Split('=', 2, StringSplitOptions.TrimEntries);
            if (parts.Length < 2 || parts[0].Length == 0 || parts[1].Length == 0 || !pairs.TryAdd(parts[0], parts[1])) throw new SettingException(name, expected, isSecret ? "others" : entry);
        }
        return pairs;
    }

    /// <summary>A secret, which is not kept with what was read; null where there is none.</summary>
    public string? Secret(string name) => variable(name) is { Length: > 0 } value ? value : null;

    /// <summary>ECOLORA_BIND: whether the service listens on all addresses, not on loopback alone.</summary>
    /// <exception cref="SettingException">The value is neither.</exception>
    public bool BindsAny => Choice("ECOLORA_BIND", "loopback", "any") == "any";

    /// <summary>Any text.</summary>
    public string Text(string name, string fallback) => _effective[name] = variable(name) is { Length: > 0 } value ? value : fallback;
}

/// <summary>An environment variable with a value that cannot be used.</summary>
/// <param name="name">The variable.</param>
/// <param name="expected">What it may be.</param>
/// <param name="found">What it is.</param>
public sealed class SettingException(string name, string expected, string found) : FormatException($"{name}: expected {expected}, found '{found}'");
