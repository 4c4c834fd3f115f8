using System.Text;

namespace EcoLora.Formats.Tokenizers;

/// <summary>
/// The 256 printable characters that stand for bytes in byte-level vocabularies (GPT-2's <c>bytes_to_unicode</c>): printable Latin-1 stands for
/// itself, the other bytes take U+0100 and on, in order. Byte 32 is therefore <c>Ġ</c>.
/// </summary>
internal static class ByteAlphabet
{
    private static readonly char[] Characters = MakeCharacters();
    private static readonly Dictionary<char, byte> Bytes = MakeBytes();

    /// <summary>The character of a byte.</summary>
    public static char CharacterOf(byte value) => Characters[value];

    /// <summary>The bytes of a token; a token with a character outside the alphabet (an added one) is its UTF-8.</summary>
    public static byte[] BytesOf(string token)
    {
        byte[] bytes = new byte[token.Length];
        for (int i = 0; i < token.Length; i++)
            if (!Bytes.TryGetValue(token[i], out bytes[i]))
                return Encoding.UTF8.GetBytes(token);
        return bytes;
    }

    private static char[] MakeCharacters()
    {
        char[] characters = new char[256];
        char next = (char)256;
        for (int b = 0; b < 256; b++)
        {
            bool printable = b is (>= '!' and <= '~') or (>= 0xA1 and <= 0xAC) or (>= 0xAE and <= 0xFF);
            characters[b] = printable ? (char)b : next++;
        }
        return characters;
    }

    private static Dictionary<char, byte> MakeBytes()
    {
        var bytes = new Dictionary<char, byte>();
        for (int b = 0; b < 256; b++) bytes.Add(Characters[b], (byte)b);
        return bytes;
    }
}
