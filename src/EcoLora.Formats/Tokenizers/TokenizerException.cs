namespace EcoLora.Formats.Tokenizers;

/// <summary>A tokenizer.json that breaks its format or asks for what is not supported: file, field, expected, found, in one line.</summary>
public sealed class TokenizerException(string message) : FormatException(message);
