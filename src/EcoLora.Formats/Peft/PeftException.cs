namespace EcoLora.Formats.Peft;

/// <summary>An adapter folder that cannot be used: file, field or tensor, expected, found, in one line.</summary>
public sealed class PeftException(string message) : FormatException(message);
