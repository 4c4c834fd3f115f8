namespace EcoLora.Hosting;

/// <summary>
/// An option file, or a <c>--set</c>, that cannot be used. The message is one line: the file with line and column (or the <c>--set</c>),
/// the option, what was expected and what was found.
/// </summary>
public sealed class OptionsException(string message) : FormatException(message);
