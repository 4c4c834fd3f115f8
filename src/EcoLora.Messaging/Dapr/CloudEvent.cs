using System.Text.Json;

namespace EcoLora.Messaging.Dapr;

/// <summary>The envelope in which a sidecar hands over a raw message: a JSON object, of which only <c>data_base64</c> is ours.</summary>
internal static class CloudEvent
{
    /// <summary>The message's bytes.</summary>
    /// <exception cref="JsonException">Not a JSON object, or not the envelope of a raw message.</exception>
    public static byte[] ReadData(ReadOnlySpan<byte> json)
    {
        var reader = new Utf8JsonReader(json, new JsonReaderOptions { MaxDepth = 8 });
        byte[]? data = null;
        if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject) throw new JsonException("expected a JSON object");
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (reader.ValueTextEquals("data"u8)) throw new JsonException("expected data_base64, as a raw subscription has it, found data");
            bool isData = reader.ValueTextEquals("data_base64"u8);
            reader.Read();
            if (!isData) reader.Skip();
            else if (data is not null) throw new JsonException("expected data_base64 once, found it twice");
            else if (reader.TokenType != JsonTokenType.String || !reader.TryGetBytesFromBase64(out data)) throw new JsonException("data_base64: expected base64");
        }
        if (reader.TokenType != JsonTokenType.EndObject || reader.Read()) throw new JsonException("expected one JSON object");
        return data ?? throw new JsonException("expected data_base64, as a raw subscription has it, found none");
    }
}
