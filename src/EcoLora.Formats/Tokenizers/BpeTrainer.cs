using System.Text;

namespace EcoLora.Formats.Tokenizers;

/// <summary>
/// Trains a byte-level BPE vocabulary: again and again the most frequent pair of neighbouring tokens becomes a token. Words are cut by GPT-2's pattern, so no
/// token crosses a word. Deterministic: of pairs with the same count the one with the lower left id, then the lower right id.
/// </summary>
/// <remarks>Sennrich et al. 2016 (arXiv 1508.07909); bytes as symbols: Radford et al. 2019. O(text) + O(merges · words that hold the pair).</remarks>
public sealed class BpeTrainer
{
    private const int LeastCount = 2;

    private readonly List<Word> _words = [];
    private readonly Dictionary<ulong, long> _counts = [];
    private readonly Dictionary<ulong, HashSet<int>> _places = [];
    private readonly PriorityQueue<ulong, (long NegativeCount, ulong Pair)> _queue = new();
    private readonly List<byte[]> _tokens = [];
    private readonly HashSet<string> _known = new(StringComparer.Ordinal);
    private readonly List<(int Left, int Right)> _merges = [];

    private BpeTrainer()
    {
    }

    /// <summary>
    /// Trains a tokenizer with <c>&lt;s&gt;</c> = 0, <c>&lt;/s&gt;</c> = 1, optionally <c>&lt;pad&gt;</c> = 2, then the 256 bytes, then the merges by
    /// rank. Any text can be encoded.
    /// The vocabulary is smaller than asked when no pair is left that occurs twice.
    /// </summary>
    /// <param name="texts">The corpus; nothing is merged across texts.</param>
    /// <param name="vocabularySize">Number of tokens in all, at least 258 (259 with padding), at most 65,536.</param>
    /// <param name="padding">Whether to add <c>&lt;pad&gt;</c>.</param>
    /// <exception cref="ArgumentOutOfRangeException">The vocabulary size is outside its range.</exception>
    public static BpeTokenizer Train(IEnumerable<string> texts, int vocabularySize, bool padding = false)
    {
        string[] special = padding ? ["<s>", "</s>", "<pad>"] : ["<s>", "</s>"];
        ArgumentOutOfRangeException.ThrowIfLessThan(vocabularySize, special.Length + 256);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(vocabularySize, 1 << 16);
        var trainer = new BpeTrainer();
        trainer.AddAlphabet();
        trainer.Count(texts);
        trainer.Merge(vocabularySize - special.Length);
        return BpeTokenizer.Parse(
            TokenizerJsonWriter.ByteLevel(special, [.. trainer._tokens.Select(TextOf)], trainer._merges),
            TokenizerJsonWriter.Config(padding));
    }

    private static string TextOf(byte[] token) => string.Concat(token.Select(ByteAlphabet.CharacterOf));

    /// <summary>Ids follow the order of the alphabet's characters, as in GPT-2's vocabulary.</summary>
    private void AddAlphabet()
    {
        foreach (byte b in Enumerable.Range(0, 256).Select(b => (byte)b).OrderBy(ByteAlphabet.CharacterOf))
        {
            _tokens.Add([b]);
            _known.Add(TextOf([b]));
        }
    }

    private void Count(IEnumerable<string> texts)
    {
        var counts = new Dictionary<string, long>(StringComparer.Ordinal);
        var bySpan = counts.GetAlternateLookup<ReadOnlySpan<char>>();
        foreach (string text in texts)
        {
            ReadOnlySpan<char> rest = text;
            while (rest.Length > 0)
            {
                int length = WordScanner.Next(WordSplit.Gpt2, rest);
                System.Runtime.InteropServices.CollectionsMarshal.GetValueRefOrAddDefault(bySpan, rest[..length], out _)++;
                rest = rest[length..];
            }
        }
        int[] idOfByte = new int[256];
        for (int id = 0; id < 256; id++) idOfByte[_tokens[id][0]] = id;
        foreach ((string text, long count) in counts.OrderBy(w => w.Key, StringComparer.Ordinal))
        {
            var word = new Word([.. Encoding.UTF8.GetBytes(text).Select(b => idOfByte[b])], count);
            _words.Add(word);
            for (int i = 0; i + 1 < word.Tokens.Count; i++) Change(word, _words.Count - 1, i, +1);
        }
        foreach ((ulong pair, long count) in _counts) Offer(pair, count);
    }

    private void Merge(int size)
    {
        while (_tokens.Count < size && _queue.TryDequeue(out ulong pair, out (long NegativeCount, ulong) priority))
        {
            long count = _counts.GetValueOrDefault(pair);
            if (count < LeastCount) continue;
            if (count != -priority.NegativeCount)
            {
                // Counts in the queue go stale; the pair comes back with its present one.
                Offer(pair, count);
                continue;
            }
            int left = (int)(pair >> 32), right = (int)(uint)pair;
            byte[] token = [.. _tokens[left], .. _tokens[right]];
            // Two ways to the same bytes would be two ids for one token.
            if (!_known.Add(TextOf(token)))
            {
                _counts.Remove(pair);
                continue;
            }
            _tokens.Add(token);
            _merges.Add((left, right));
            var touched = new HashSet<ulong>();
            foreach (int place in _places[pair].Order()) Replace(place, left, right, _tokens.Count - 1, touched);
            _counts.Remove(pair);
            _places.Remove(pair);
            foreach (ulong other in touched) Offer(other, _counts.GetValueOrDefault(other));
        }
    }

    private void Replace(int place, int left, int right, int merged, HashSet<ulong> touched)
    {
        Word word = _words[place];
        for (int i = 0; i + 1 < word.Tokens.Count; i++)
        {
            if (word.Tokens[i] != left || word.Tokens[i + 1] != right) continue;
            for (int j = Math.Max(0, i - 1); j <= i + 1 && j + 1 < word.Tokens.Count; j++) Change(word, place, j, -1);
            word.Tokens[i] = merged;
            word.Tokens.RemoveAt(i + 1);
            for (int j = Math.Max(0, i - 1); j <= i && j + 1 < word.Tokens.Count; j++) touched.Add(Change(word, place, j, +1));
        }
    }

    private ulong Change(Word word, int place, int index, int sign)
    {
        ulong pair = ((ulong)(uint)word.Tokens[index] << 32) | (uint)word.Tokens[index + 1];
        _counts[pair] = _counts.GetValueOrDefault(pair) + (sign * word.Count);
        if (sign < 0) return pair;
        if (!_places.TryGetValue(pair, out HashSet<int>? places)) _places[pair] = places = [];
        places.Add(place);
        return pair;
    }

    private void Offer(ulong pair, long count)
    {
        if (count >= LeastCount) _queue.Enqueue(pair, (-count, pair));
    }

    private sealed record Word(List<int> Tokens, long Count);
}
