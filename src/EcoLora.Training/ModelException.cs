namespace EcoLora.Training;

/// <summary>A model description or its tensors cannot be used. The message names what, what was expected and what was found.</summary>
public sealed class ModelException : FormatException
{
    /// <summary>Makes the error from "what: expected …, found …".</summary>
    public ModelException(string message)
        : base(message)
    {
    }

    /// <summary>Makes the error from the message and its cause.</summary>
    public ModelException(string message, Exception innerException)
        : base(message, innerException)
    {
    }

    /// <summary>Makes an error without a message.</summary>
    public ModelException()
    {
    }
}
