namespace EcoLora.Telemetry;

/// <summary>A ledger file is not what it should be. The message names the file, the line, the field, what was expected and what was found.</summary>
public sealed class LedgerException : FormatException
{
    /// <summary>Makes the exception with its one-line message.</summary>
    public LedgerException(string message) : base(message) { }

    /// <summary>Makes the exception with its one-line message and its cause.</summary>
    public LedgerException(string message, Exception cause) : base(message, cause) { }
}
