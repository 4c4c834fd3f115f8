using System.Text;
using System.Text.Json.Nodes;
using EcoLora.Formats.Tokenizers;

namespace EcoLora.Formats.Tests.Data;

/// <summary>A tokenizer whose ASCII characters are tokens, each with its code as id, and whose special tokens are those of the chat templates.</summary>
internal static class CharacterTokenizer
{
    /// <summary>Special tokens with their ids.</summary>
    public static IReadOnlyList<(int Id, string Text)> Special { get; } =
    [
        (1, "<s>"), (2, "</s>"), (200, "<|im_start|>"), (201, "<|im_end|>"), (202, "<|start_header_id|>"), (203, "<|end_header_id|>"), (204, "<|eot_id|>"),
        (205, "[INST]"), (206, "[/INST]"),
    ];

    /// <param name="colonAndSpace">Whether ": " is a token, 9, instead of the tabulator.</param>
    /// <param name="without">A special token that it lacks.</param>
    /// <param name="ordinary">A special token that is an added token which any text may hold.</param>
    public static BpeTokenizer Make(bool colonAndSpace = false, string without = "", string ordinary = "")
    {
        var vocabulary = new JsonObject();
        for (int code = 3; code < 128; code++) vocabulary[colonAndSpace && code == 9 ? ": " : ((char)code).ToString()] = code;
        var added = new JsonArray();
        foreach ((int id, string text) in Special)
            if (text != without)
                added.Add(new JsonObject { ["id"] = id, ["content"] = text, ["special"] = text != ordinary });
        var json = new JsonObject
        {
            ["added_tokens"] = added,
            ["decoder"] = new JsonObject { ["type"] = "Fuse" },
            ["model"] = new JsonObject
            {
                ["type"] = "BPE",
                ["vocab"] = vocabulary,
                ["merges"] = colonAndSpace ? new JsonArray(new JsonArray(":", " ")) : [],
            },
        };
        return BpeTokenizer.Parse(Encoding.UTF8.GetBytes(json.ToJsonString()));
    }
}
