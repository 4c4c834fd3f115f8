using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using EcoLora.Formats.Data;
using EcoLora.Formats.Tokenizers;

namespace EcoLora.Local.Bench;

/// <summary>A tokenizer on a text.</summary>
/// <param name="Tokenizer">The folder's name, or the peer's with it.</param>
/// <param name="Text">The file's name.</param>
/// <param name="Bytes">Bytes of the text in UTF-8.</param>
internal sealed record TokenizerRow(string Tokenizer, string Text, long Bytes)
{
    /// <summary>Headings for <see cref="Cells"/>.</summary>
    public static IReadOnlyList<string> Headings { get; } = ["tokenizer", "text", "MB", "tokens", "first MB/s", "MB/s", "tokens/s", "note"];

    /// <summary>Tokens of the text; null where it was not measured.</summary>
    public long? Tokens { get; init; }

    /// <summary>Seconds with nothing remembered; null where there is no such difference.</summary>
    public double? FirstSeconds { get; init; }

    /// <summary>Seconds once the words are known.</summary>
    public double? Seconds { get; init; }

    /// <summary>Why there are no numbers, or null.</summary>
    public string? Absent { get; init; }

    /// <summary>The row for people.</summary>
    public IReadOnlyList<string> Cells =>
    [
        Tokenizer, Text, (1e-6 * Bytes).ToString("F2", CultureInfo.InvariantCulture), Tokens?.ToString(CultureInfo.InvariantCulture) ?? "–",
        BenchRow.Speed(Megabytes(FirstSeconds)), BenchRow.Speed(Megabytes(Seconds)), (Tokens / Seconds)?.ToString("F0", CultureInfo.InvariantCulture) ?? "–",
        Absent is null ? "" : $"absent: {Absent}",
    ];

    /// <summary>The row for programs.</summary>
    public JsonObject ToJson() => new()
    {
        ["tokenizer"] = Tokenizer,
        ["text"] = Text,
        ["mb"] = 1e-6 * Bytes,
        ["tokens"] = Tokens,
        ["first_mb_s"] = BenchRow.Rounded(Megabytes(FirstSeconds)),
        ["mb_s"] = BenchRow.Rounded(Megabytes(Seconds)),
        ["tokens_s"] = BenchRow.Rounded(Tokens / Seconds),
        ["absent"] = Absent,
    };

    private double? Megabytes(double? seconds) => 1e-6 * Bytes / seconds;
}

/// <summary>
/// The speed of tokenizers on instruction records, on one thread: each field of a record is one text. SentencePiece, where it is installed, encodes the
/// same texts with a folder's tokenizer.model, and must find as many tokens.
/// </summary>
internal static class TokenizerBench
{
    private const int LeastRounds = 3;

    /// <summary>Measures every tokenizer on every file.</summary>
    /// <exception cref="FormatException">A tokenizer or a file cannot be used.</exception>
    /// <exception cref="InvalidOperationException">SentencePiece found another number of tokens.</exception>
    public static IReadOnlyList<TokenizerRow> Run(
        IReadOnlyList<string> folders, IReadOnlyList<string> files, double seconds, CancellationToken cancellation)
    {
        var rows = new List<TokenizerRow>();
        foreach (string file in files)
        {
            string[] texts = [.. InstructionFile.Read(file).Records.SelectMany(record => (string[])[record.Text, record.Context, record.Response])
                .Where(text => text.Length > 0)];
            long bytes = texts.Sum(text => (long)Encoding.UTF8.GetByteCount(text));
            foreach (string folder in folders)
            {
                string name = Path.GetFileName(Path.GetFullPath(folder).TrimEnd(Path.DirectorySeparatorChar));
                TokenizerRow row = Measure(folder, texts, seconds, new TokenizerRow(name, Path.GetFileName(file), bytes), cancellation);
                rows.Add(row);
                string model = Path.Combine(folder, "tokenizer.model");
                if (!File.Exists(model)) continue;
                TokenizerRow peer = SentencePiecePeer.Measure(model, texts, LeastRounds, row with { Tokenizer = $"{name} (SentencePiece)", FirstSeconds = null }, cancellation);
                if (peer.Tokens is { } tokens && tokens != row.Tokens)
                    throw new InvalidOperationException($"{model}: SentencePiece found {tokens} tokens, ours are {row.Tokens}");
                rows.Add(peer);
            }
        }
        return rows;
    }

    private static TokenizerRow Measure(string folder, string[] texts, double seconds, TokenizerRow row, CancellationToken cancellation)
    {
        double first = double.PositiveInfinity, best = double.PositiveInfinity;
        long tokens = 0, started = Stopwatch.GetTimestamp();
        for (int round = 0; round < LeastRounds || Stopwatch.GetElapsedTime(started).TotalSeconds < seconds; round++)
        {
            cancellation.ThrowIfCancellationRequested();
            BpeTokenizer tokenizer = BpeTokenizer.Open(folder);
            first = Math.Min(first, Time(tokenizer));
            best = Math.Min(best, Time(tokenizer));
        }
        return row with { Tokens = tokens, FirstSeconds = first, Seconds = best };

        double Time(BpeTokenizer tokenizer)
        {
            long start = Stopwatch.GetTimestamp();
            tokens = 0;
            foreach (string text in texts) tokens += tokenizer.Encode(text).Length;
            return Stopwatch.GetElapsedTime(start).TotalSeconds;
        }
    }
}
