using System.Text;
using EcoLora.Numerics;

namespace EcoLora.Formats.Data.Synthetic;

/// <summary>
/// Makes the text that the repository's small base model is pretrained on: very short English stories with the words of <see cref="Lexicon"/>.
/// They teach words, grammar, and to find again what a story said before. They hold no question, no label of
/// <see cref="TaskGenerator"/>'s classifications next to what it labels, and no prompt. The same seed and size give the same bytes.
/// </summary>
public static class CorpusGenerator
{
    /// <summary>Seed of the corpus that the shipped base model was pretrained on.</summary>
    public const ulong DefaultSeed = 1;

    /// <summary>Size of the default corpus in bytes.</summary>
    public const long DefaultBytes = 6_000_000;

    /// <summary>Writes stories until the size is reached: ASCII, lines of sentences, an empty line after each story.</summary>
    /// <param name="stream">Where to. Stays open.</param>
    /// <param name="seed">Decides every story.</param>
    /// <param name="bytes">The text ends with the first story that reaches this size.</param>
    /// <exception cref="ArgumentOutOfRangeException">The size is below 1.</exception>
    public static void Write(Stream stream, ulong seed, long bytes = DefaultBytes)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(bytes, 1);
        var draw = new Draw(new RandomStream(seed, "corpus"));
        for (long written = 0; written < bytes;)
        {
            byte[] story = Encoding.ASCII.GetBytes(new Story(draw).Text + "\n\n");
            stream.Write(story);
            written += story.Length;
        }
    }
}
