namespace EcoLora.Hosting;

/// <summary>
/// An option file, or a <c>--set</c>, that cannot be used. The message is one line: the file with line and column (or the <c>--set</c>),
/// the option, what was expected and what was found.
/// </summary>
public class OptionsException(string message) : FormatException(message);

/// <summary>A run names a model or data that is not here.</summary>
/// <param name="option">The option.</param>
/// <param name="name">The name.</param>
/// <param name="known">What is here.</param>
public sealed class UnknownNameException(string option, string name, IEnumerable<string> known)
    : OptionsException($"{option}: expected a name that this trainer knows ({string.Join(", ", known)}), found '{name}'")
{
    /// <summary>The same for whoever shall not learn what else is here.</summary>
    public string WithoutKnown { get; } = $"{option}: expected a name that this trainer knows, found '{name}'";
}
