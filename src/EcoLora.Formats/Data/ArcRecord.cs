using System.Text.Json;
using EcoLora.Formats.Json;

namespace EcoLora.Formats.Data;

/// <summary>Parses one record of ARC.</summary>
internal static class ArcRecord
{
    /// <exception cref="DataSetException">Not an object as <see cref="MultipleChoiceFile"/> describes it.</exception>
    public static MultipleChoiceQuestion Parse(RawRecord raw, string file) => new RecordPlace(file, raw).Read(Parse);

    private static MultipleChoiceQuestion Parse(JsonElement root, RecordPlace place)
    {
        string question = place.Text(RecordPlace.Field(root, "question"), "question");
        JsonElement? choices = RecordPlace.Field(root, "choices");
        if (choices is not { ValueKind: JsonValueKind.Object } both) throw place.Wrong("choices", "an object", RecordPlace.Describe(choices));
        string[] texts = Texts(RecordPlace.Field(both, "text"), "choices.text", place), labels = Texts(RecordPlace.Field(both, "label"), "choices.label", place);
        if (labels.Length != texts.Length) throw place.Wrong("choices.label", $"{texts.Length} labels, one per choice", $"{labels.Length}");
        if (labels.Distinct(StringComparer.Ordinal).Count() < labels.Length) throw place.Wrong("choices.label", "different labels", Listed(labels));
        string key = place.Text(RecordPlace.Field(root, "answerKey"), "answerKey");
        int answer = Array.IndexOf(labels, key);
        if (answer < 0) throw place.Wrong("answerKey", $"one of {Listed(labels)}", $"'{PrintableText.Of(key)}'");
        return new MultipleChoiceQuestion(question, texts, answer, IsLettered: false);
    }

    private static string Listed(string[] labels) => PrintableText.Of(string.Join(", ", labels));

    /// <summary>An array of 3 to 5 strings that are not blank.</summary>
    private static string[] Texts(JsonElement? value, string field, RecordPlace place)
    {
        if (value is not { ValueKind: JsonValueKind.Array } present) throw place.Wrong(field, "an array", RecordPlace.Describe(value));
        if (present.GetArrayLength() is < 3 or > 5) throw place.Wrong(field, "3 to 5 texts", $"{present.GetArrayLength()}");
        string[] texts = new string[present.GetArrayLength()];
        for (int i = 0; i < texts.Length; i++) texts[i] = place.Text(present[i], $"{field}[{i}]");
        return texts;
    }
}
