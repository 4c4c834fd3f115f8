using System.Text;
using EcoLora.Formats.Tokenizers;

namespace EcoLora.Formats.Tests.Tokenizers;

/// <summary>A tokenizer.json small enough to work out by hand, with any part replaced.</summary>
internal static class SmallTokenizer
{
    public const string Vocabulary = """
        {"<unk>":0,"<s>":1,"</s>":2,"▁":3,"a":4,"b":5,"c":6,"ab":7,"▁a":8,"abc":9,"bc":10,"<":11,"/":12,"s":13,">":14,"</":15,"s>":16,
        "▁ab":17,"<tool>":18,"<0xC3>":19,"<0xA9>":20}
        """;
    public const string Merges = """["b c","▁ a","a b",["ab","c"],["▁a","b"],"< /","s >","</ s>"]""";
    public const string Added = """
        [{"id":0,"content":"<unk>","special":true},{"id":1,"content":"<s>","special":true},{"id":2,"content":"</s>","special":true},
        {"id":18,"content":"<tool>","special":false}]
        """;

    public static BpeTokenizer Make(
        string normalizer = "null", string preTokenizer = "null", string postProcessor = "null", string decoder = """{"type":"ByteFallback"}""",
        string added = Added, string vocabulary = Vocabulary, string merges = Merges, string model = "", string config = "") =>
        BpeTokenizer.Parse(
            Encoding.UTF8.GetBytes($$"""
                {"added_tokens":{{added}},"normalizer":{{normalizer}},"pre_tokenizer":{{preTokenizer}},"post_processor":{{postProcessor}},"decoder":{{decoder}},
                "model":{"type":"BPE","unk_token":"<unk>",{{model}}"vocab":{{vocabulary}},"merges":{{merges}} } }
                """),
            Encoding.UTF8.GetBytes(config));

    /// <summary>The tokens of a text, joined by spaces.</summary>
    public static string Tokens(this BpeTokenizer tokenizer, string text, bool allowSpecial = false) =>
        string.Join(' ', tokenizer.Encode(text, allowSpecial).Select(tokenizer.TokenOf));
}
