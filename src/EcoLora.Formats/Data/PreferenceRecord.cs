using System.Text.Json;
using EcoLora.Formats.Json;

namespace EcoLora.Formats.Data;

/// <summary>Parses one record of a preference file; see <see cref="PreferenceFile"/> for what becomes the prompt.</summary>
internal static class PreferenceRecord
{
    private enum Speaker
    {
        System,
        User,
        Assistant,
    }

    private readonly record struct Turn(Speaker Speaker, string Text);

    /// <summary>The record; an answer that is missing, null or blank is empty.</summary>
    /// <exception cref="DataSetException">Not an object as <see cref="PreferenceFile"/> describes it.</exception>
    public static Instruction Parse(RawRecord raw, string file) => new RecordPlace(file, raw).Read(Parse);

    private static Instruction Parse(JsonElement root, RecordPlace place)
    {
        List<Turn> chosen = Answer(root, "chosen", place), rejected = Answer(root, "rejected", place);
        string category = Optional(root, "category", place), response = chosen[^1].Text, other = rejected[^1].Text;
        if (chosen.Count > 1 || rejected.Count > 1)
        {
            chosen.RemoveAt(chosen.Count - 1);
            rejected.RemoveAt(rejected.Count - 1);
            if (!chosen.SequenceEqual(rejected)) throw place.Wrong("rejected", "the messages of 'chosen' up to the answer", "others");
            return OfTurns(chosen, "chosen", response, other, category, place);
        }
        foreach (string field in (string[])["conversations", "prompt"])
            if (RecordPlace.Field(root, field) is { ValueKind: JsonValueKind.Array } messages)
                return OfTurns(Turns(messages, field, place), field, response, other, category, place);
        if (RecordPlace.Field(root, "conversations") is { } wrong) throw place.Wrong("conversations", "an array", RecordPlace.Describe(wrong));
        if (RecordPlace.Field(root, "prompt") is { } prompt) return new Instruction(place.Text(prompt, "prompt"), "", response, category) { Rejected = other };
        if (RecordPlace.Field(root, "instruction") is { } instruction)
            return new Instruction(place.Text(instruction, "instruction"), Optional(root, "input", place), response, category) { Rejected = other };
        throw place.Wrong("prompt", "a prompt (or conversations, or instruction)", "no such field");
    }

    /// <summary>The last turn is the question, those before it the context.</summary>
    private static Instruction OfTurns(List<Turn> turns, string field, string response, string rejected, string category, RecordPlace place)
    {
        if (turns.Count == 0 || turns[^1].Speaker != Speaker.User || string.IsNullOrWhiteSpace(turns[^1].Text))
            throw place.Wrong(field, "a prompt that ends with the user's text", turns.Count == 0 ? "no message" : turns[^1].Speaker == Speaker.User ? "blank text" : "another's");
        IEnumerable<string> before = turns.SkipLast(1).Where(turn => !string.IsNullOrWhiteSpace(turn.Text))
            .Select(turn => turn.Speaker == Speaker.System ? turn.Text.Trim() : $"{turn.Speaker}: {turn.Text.Trim()}");
        return new Instruction(turns[^1].Text, string.Join("\n\n", before), response, category) { Rejected = rejected };
    }

    /// <summary>An answer, with the messages before it where it is a whole conversation.</summary>
    private static List<Turn> Answer(JsonElement root, string field, RecordPlace place)
    {
        JsonElement? value = RecordPlace.Field(root, field);
        switch (value?.ValueKind)
        {
            case null or JsonValueKind.Null:
                return [new Turn(Speaker.Assistant, "")];
            case JsonValueKind.String:
                return [new Turn(Speaker.Assistant, place.String(value, field))];
            case JsonValueKind.Object:
                return Last([Message(value.Value, field, place)]);
            case JsonValueKind.Array:
                return Last(Turns(value.Value, field, place));
            default:
                throw place.Wrong(field, "a string, a message or an array of messages", RecordPlace.Describe(value));
        }

        List<Turn> Last(List<Turn> turns) => turns.Count > 0 && turns[^1].Speaker == Speaker.Assistant
            ? turns
            : throw place.Wrong(field, "a last message by the assistant", turns.Count == 0 ? "no message" : "another's");
    }

    private static List<Turn> Turns(JsonElement messages, string field, RecordPlace place) =>
        [.. messages.EnumerateArray().Select((message, i) => Message(message, $"{field}[{i}]", place))];

    /// <summary><c>{"from", "value"}</c> or <c>{"role", "content"}</c>.</summary>
    private static Turn Message(JsonElement message, string field, RecordPlace place)
    {
        if (message.ValueKind != JsonValueKind.Object) throw place.Wrong(field, "an object", RecordPlace.Describe(message));
        (string by, string text) = RecordPlace.Field(message, "from") is null ? ("role", "content") : ("from", "value");
        string name = place.String(RecordPlace.Field(message, by), $"{field}.{by}");
        Speaker speaker = name switch
        {
            "system" => Speaker.System,
            "user" or "human" => Speaker.User,
            "assistant" or "gpt" => Speaker.Assistant,
            _ => throw place.Wrong($"{field}.{by}", "system, user, human, assistant or gpt", $"'{PrintableText.Of(name)}'"),
        };
        return new Turn(speaker, place.String(RecordPlace.Field(message, text), $"{field}.{text}"));
    }

    private static string Optional(JsonElement root, string field, RecordPlace place) =>
        RecordPlace.Field(root, field) is { ValueKind: not JsonValueKind.Null } value ? place.String(value, field) : "";
}
