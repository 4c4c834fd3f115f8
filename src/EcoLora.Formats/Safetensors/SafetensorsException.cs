namespace EcoLora.Formats.Safetensors;

/// <summary>A safetensors file that breaks its format, or does not hold what was asked of it: file, tensor, expected, found, in one line.</summary>
public sealed class SafetensorsException(string message) : FormatException(message);
