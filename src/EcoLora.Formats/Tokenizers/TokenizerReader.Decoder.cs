using EcoLora.Formats.Json;

namespace EcoLora.Formats.Tokenizers;

/// <content>The member <c>decoder</c>.</content>
internal static partial class TokenizerReader
{
    private static TokenDecoder ReadDecoder(JsonField part)
    {
        var decoder = new TokenDecoder();
        bool fused = false;
        ReadDecoder(part, decoder, ref fused);
        return decoder;
    }

    private static void ReadDecoder(JsonField part, TokenDecoder decoder, ref bool fused)
    {
        switch (part["type"].StringOr("no decoder"))
        {
            case "Sequence":
                foreach (JsonField item in part["decoders"].Items()) ReadDecoder(item, decoder, ref fused);
                break;
            case "ByteLevel":
                decoder.ByteLevel = true;
                break;
            case "Metaspace":
                decoder.Replacements.Add((Space, " "));
                decoder.DropSpacesOfFirst = part["prepend_scheme"].StringOr(part["add_prefix_space"].BooleanOr(true) ? "always" : "never") != "never";
                break;
            case "Replace":
                decoder.Replacements.Add(ReadReplacement(part));
                break;
            case "ByteFallback":
                decoder.ByteFallback = true;
                break;
            case "Fuse":
                fused = true;
                break;
            case "Strip":
                if (!fused) throw part["type"].Refuse("Fuse before Strip");
                if (part["content"].String() != " ") throw part["content"].Refuse("one space");
                decoder.StripSpaces = part["start"].Int32(0, 16);
                part["stop"].Int32(0, 0);
                break;
            default:
                throw part["type"].Refuse("ByteFallback, ByteLevel, Fuse, Metaspace, Replace, Sequence or Strip");
        }
    }
}
