using System.Text.Json;
using System.Text.Json.Serialization;

namespace EcoLora.Federation;

/// <summary>
/// Reads and writes a small record as an array of its members, <c>[12,0,3]</c>: a message names one for each participant, and members' names would be most of its bytes.
/// </summary>
/// <typeparam name="T">The record.</typeparam>
public abstract class RowConverter<T> : JsonConverter<T>
    where T : class
{
    /// <inheritdoc/>
    public sealed override T Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        Expect(reader.TokenType, JsonTokenType.StartArray);
        T row = ReadCells(ref reader);
        reader.Read();
        Expect(reader.TokenType, JsonTokenType.EndArray);
        return row;
    }

    /// <inheritdoc/>
    public sealed override void Write(Utf8JsonWriter writer, T value, JsonSerializerOptions options)
    {
        writer.WriteStartArray();
        WriteCells(writer, value);
        writer.WriteEndArray();
    }

    /// <summary>The members, between the brackets.</summary>
    protected abstract T ReadCells(ref Utf8JsonReader reader);

    /// <summary>The members, between the brackets.</summary>
    protected abstract void WriteCells(Utf8JsonWriter writer, T row);

    /// <summary>Writes members that are whole numbers.</summary>
    protected static void WriteNumbers(Utf8JsonWriter writer, params ReadOnlySpan<int> numbers)
    {
        foreach (int number in numbers) writer.WriteNumberValue(number);
    }

    /// <summary>The next member, a whole number.</summary>
    protected static int Number(ref Utf8JsonReader reader)
    {
        reader.Read();
        return reader.TokenType == JsonTokenType.Number && reader.TryGetInt32(out int number) ? number : throw Unlike("a number of 32 bits", reader.TokenType);
    }

    /// <summary>The next member, a text.</summary>
    protected static string Text(ref Utf8JsonReader reader)
    {
        reader.Read();
        Expect(reader.TokenType, JsonTokenType.String);
        return reader.GetString()!;
    }

    private static void Expect(JsonTokenType expected, JsonTokenType found)
    {
        if (found != expected) throw Unlike(expected.ToString(), found);
    }

    private static JsonException Unlike(string expected, JsonTokenType found) => new($"{typeof(T).Name}: expected {expected}, found {found}");
}

/// <summary><c>[client,slot,segment]</c>.</summary>
public sealed class ParticipantConverter : RowConverter<Participant>
{
    /// <inheritdoc/>
    protected override Participant ReadCells(ref Utf8JsonReader reader) => new(Number(ref reader), Number(ref reader), Number(ref reader));

    /// <inheritdoc/>
    protected override void WriteCells(Utf8JsonWriter writer, Participant row) => WriteNumbers(writer, row.Client, row.Slot, row.Segment);
}

/// <summary><c>[client,slot,segment,"digest"]</c>.</summary>
public sealed class AcceptedSegmentConverter : RowConverter<AcceptedSegment>
{
    /// <inheritdoc/>
    protected override AcceptedSegment ReadCells(ref Utf8JsonReader reader) => new(Number(ref reader), Number(ref reader), Number(ref reader), Text(ref reader));

    /// <inheritdoc/>
    protected override void WriteCells(Utf8JsonWriter writer, AcceptedSegment row)
    {
        WriteNumbers(writer, row.Client, row.Slot, row.Segment);
        writer.WriteStringValue(row.Digest);
    }
}

/// <summary><c>[client,site,samples]</c>.</summary>
public sealed class EnrolmentConverter : RowConverter<Enrolment>
{
    /// <inheritdoc/>
    protected override Enrolment ReadCells(ref Utf8JsonReader reader) => new(Number(ref reader), Number(ref reader), Number(ref reader));

    /// <inheritdoc/>
    protected override void WriteCells(Utf8JsonWriter writer, Enrolment row) => WriteNumbers(writer, row.Client, row.Site, row.Samples);
}
