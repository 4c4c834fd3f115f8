using System.Text.Json;
using System.Text.Json.Serialization;

namespace EcoLora.Telemetry;

/// <summary>A report.json is not one. The message names the file, the place, what was expected and what was found.</summary>
public sealed class ReportException : FormatException
{
    /// <summary>Makes the exception with its one-line message.</summary>
    public ReportException(string message) : base(message) { }

    /// <summary>Makes the exception with its one-line message and its cause.</summary>
    public ReportException(string message, Exception cause) : base(message, cause) { }
}

/// <summary>
/// report.json: UTF-8, two spaces, line feeds, members in the order of the records, numbers in their shortest exact form, a value that is not finite as null.
/// Equal reports are equal bytes.
/// </summary>
public static class ReportJson
{
    /// <summary>The file's bytes, ended by a line feed.</summary>
    public static byte[] Write(RunReport report) => [.. JsonSerializer.SerializeToUtf8Bytes(report, ReportContext.Default.RunReport), (byte)'\n'];

    /// <summary>Reads what <see cref="Write"/> wrote.</summary>
    /// <param name="json">The file's bytes.</param>
    /// <param name="name">The name for messages, such as <c>report.json</c>.</param>
    /// <exception cref="ReportException">Not JSON, a member missing, unknown or of the wrong type, or another schema version.</exception>
    public static RunReport Read(ReadOnlySpan<byte> json, string name)
    {
        RunReport? report;
        try
        {
            report = JsonSerializer.Deserialize(json, ReportContext.Default.RunReport);
        }
        catch (JsonException cause)
        {
            throw new ReportException(
                $"{name}: line {cause.LineNumber + 1}, '{cause.Path}': expected report version 1, found {FirstLine(cause.Message)}", cause);
        }
        if (report is null) throw new ReportException($"{name}: expected an object, found null");
        return report.SchemaVersion == 1 ? report : throw new ReportException($"{name}: 'schemaVersion': expected 1, found {report.SchemaVersion}");
    }

    private static string FirstLine(string message) => message.AsSpan().Trim().ToString().ReplaceLineEndings(" ");
}

/// <summary>The generated serializers.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, WriteIndented = true, NewLine = "\n", IndentSize = 2,
    RespectNullableAnnotations = true, RespectRequiredConstructorParameters = true, UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
    Converters = [typeof(FiniteNumberConverter)])]
[JsonSerializable(typeof(RunReport))]
internal sealed partial class ReportContext : JsonSerializerContext;

/// <summary>JSON has no NaN or infinity: they are written as null, and null is read as NaN.</summary>
internal sealed class FiniteNumberConverter : JsonConverter<double>
{
    public override bool HandleNull => true;

    public override double Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        reader.TokenType == JsonTokenType.Null ? double.NaN : reader.GetDouble();

    public override void Write(Utf8JsonWriter writer, double value, JsonSerializerOptions options)
    {
        if (double.IsFinite(value)) writer.WriteNumberValue(value);
        else writer.WriteNullValue();
    }
}
