namespace EcoLora.Formats.HuggingFace;

/// <summary>A model folder that cannot be used: file, field or tensor, expected, found, in one line.</summary>
public sealed class ModelFolderException(string message) : FormatException(message);
