using System.Text.Json;
using System.Text.Json.Serialization;

namespace EcoLora.Federation;

/// <summary>
/// The JSON of the control messages and of the journal: camel case, enums as names, numbers that round-trip exactly. A missing or null member that
/// the message's type does not allow to be absent is refused, so that no handler meets a null.
/// </summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    UseStringEnumConverter = true,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    RespectNullableAnnotations = true,
    RespectRequiredConstructorParameters = true,
    MaxDepth = 16)]
[JsonSerializable(typeof(RoundMessage))]
[JsonSerializable(typeof(ReportMessage))]
[JsonSerializable(typeof(RunPlan))]
[JsonSerializable(typeof(JournalEntry))]
public sealed partial class ProtocolJson : JsonSerializerContext
{
    /// <summary>A message as the bytes that travel.</summary>
    public static byte[] Write(RoundMessage message) => JsonSerializer.SerializeToUtf8Bytes(message, Default.RoundMessage);

    /// <summary>A report as the bytes that travel.</summary>
    public static byte[] Write(ReportMessage message) => JsonSerializer.SerializeToUtf8Bytes(message, Default.ReportMessage);

    /// <summary>Reads a message; the plan of a run that opens is checked, and its name is the message's.</summary>
    /// <exception cref="MessageException">The bytes are not one.</exception>
    public static RoundMessage ReadRound(ReadOnlySpan<byte> bytes)
    {
        RoundMessage message = Read(bytes, Default.RoundMessage, Topics.Rounds);
        // A run's name becomes a folder's name.
        if (!Federation.RunPlan.IsName(message.Run)) throw new MessageException(Topics.Rounds, $"the run '{message.Run}'");
        if (message is not RunOpened opened) return message;
        if (opened.Plan.Run != opened.Run) throw new MessageException(Topics.Rounds, $"run '{opened.Run}' with the plan of '{opened.Plan.Run}'");
        try
        {
            opened.Plan.Validate();
        }
        catch (ArgumentException exception)
        {
            throw new MessageException(Topics.Rounds, $"a plan that is not valid: {exception.Message}");
        }
        return message;
    }

    /// <summary>Reads a report.</summary>
    /// <exception cref="MessageException">The bytes are not one.</exception>
    public static ReportMessage ReadReport(ReadOnlySpan<byte> bytes) => Read(bytes, Default.ReportMessage, Topics.Reports);

    private static T Read<T>(ReadOnlySpan<byte> bytes, System.Text.Json.Serialization.Metadata.JsonTypeInfo<T> type, string topic)
        where T : class
    {
        try
        {
            return JsonSerializer.Deserialize(bytes, type) ?? throw new MessageException(topic, "null");
        }
        catch (Exception exception) when (exception is JsonException or NotSupportedException)
        {
            throw new MessageException(topic, exception.Message);
        }
    }
}

/// <summary>Bytes on a control topic that are not one of its messages.</summary>
/// <param name="topic">The topic.</param>
/// <param name="found">What is wrong with them.</param>
public sealed class MessageException(string topic, string found) : FormatException($"topic {topic}: expected one of its messages, found {found}");
