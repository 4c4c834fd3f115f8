using System.Diagnostics;
using System.Globalization;
using System.Text.Json;

namespace EcoLora.Local.Bench;

/// <summary>SentencePiece itself, by its Python module in a process of its own (Debian: python3-sentencepiece). The time is that of its encoder's calls.</summary>
internal static class SentencePiecePeer
{
    private const string Script =
        "import json, sys, time\n"
        + "try:\n"
        + "    import sentencepiece\n"
        + "except ImportError:\n"
        + "    sys.exit('no module sentencepiece')\n"
        + "model = sentencepiece.SentencePieceProcessor(model_file=sys.argv[1])\n"
        + "texts = json.load(sys.stdin)\n"
        + "for _ in range(int(sys.argv[2])):\n"
        + "    start = time.perf_counter()\n"
        + "    tokens = 0\n"
        + "    for text in texts:\n"
        + "        tokens += len(model.encode(text))\n"
        + "    print(time.perf_counter() - start, tokens)\n";

    /// <summary>The row with SentencePiece's numbers, or with why there are none.</summary>
    /// <param name="model">A tokenizer.model.</param>
    /// <param name="texts">The texts.</param>
    /// <param name="rounds">How often; the best counts.</param>
    /// <param name="row">Names and sizes.</param>
    /// <param name="cancellation">Ends the process.</param>
    public static TokenizerRow Measure(string model, string[] texts, int rounds, TokenizerRow row, CancellationToken cancellation)
    {
        try
        {
            string output = PeerProcess.Run(
                new ProcessStartInfo(PeerProcess.Python, ["-c", Script, model, rounds.ToString(CultureInfo.InvariantCulture)]),
                JsonSerializer.Serialize(texts), cancellation);
            double[][] found = [.. output.Split('\n').Select(line => line.Split(' ').Select(number => double.Parse(number, CultureInfo.InvariantCulture)).ToArray())];
            return row with { Tokens = (long)found[0][1], Seconds = found.Min(round => round[0]) };
        }
        catch (InvalidOperationException fault)
        {
            return row with { Tokens = null, Seconds = null, Absent = fault.Message };
        }
    }
}
