namespace EcoLora.Formats.Data;

/// <summary>Records that cannot be split or shared out as asked. The message is one line with the numbers that do not fit.</summary>
/// <param name="message">What was expected and found.</param>
/// <param name="cause">The error behind it, if there is one.</param>
public sealed class PartitionException(string message, Exception? cause = null) : FormatException(message, cause);
