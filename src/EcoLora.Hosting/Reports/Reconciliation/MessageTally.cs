namespace EcoLora.Hosting;

/// <summary>Messages on a broker, and what their bytes are.</summary>
/// <param name="Messages">How many; a message that travels in parts is one for each part.</param>
/// <param name="Content">Bytes of the messages themselves: frames and JSON.</param>
/// <param name="Signatures">Bytes before them that sign them.</param>
/// <param name="Parts">Bytes that travelling in parts adds: a header for each part, and the signatures of all but the first.</param>
/// <param name="Keys">Bytes of their keys.</param>
/// <param name="Headers">Bytes of what else lies beside the payloads.</param>
public readonly record struct MessageTally(long Messages, long Content, long Signatures, long Parts, long Keys, long Headers)
{
    /// <summary>Bytes as they were published.</summary>
    public long Payload => Content + Signatures + Parts;

    /// <summary>Both together.</summary>
    public static MessageTally operator +(MessageTally left, MessageTally right) => new(
        left.Messages + right.Messages, left.Content + right.Content, left.Signatures + right.Signatures, left.Parts + right.Parts, left.Keys + right.Keys, left.Headers + right.Headers);

    /// <summary>Both together.</summary>
    public static MessageTally Add(MessageTally left, MessageTally right) => left + right;
}
