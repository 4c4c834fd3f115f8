using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using System.Text;

namespace EcoLora.Formats.Tokenizers;

/// <summary>Vocabulary and merges, and how a word becomes ids. Thread-safe; remembers the ids of short words.</summary>
internal sealed class BpeModel
{
    private const int LongestRemembered = 64;
    private const int MostRemembered = 1 << 16;

    private readonly Dictionary<string, int>.AlternateLookup<ReadOnlySpan<char>> _ids;
    private readonly int _longestToken;
    private readonly MergeTable _merges;
    private readonly Dictionary<int, int> _runeIds = [];
    private readonly int[] _byteIds = new int[256];
    private readonly ConcurrentDictionary<string, int[]> _words = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, int[]>.AlternateLookup<ReadOnlySpan<char>> _wordsBySpan;
    private int _remembered;

    /// <param name="ids">Token → id, without the special tokens: text must not become one.</param>
    /// <param name="merges">Pair → merge.</param>
    /// <param name="rules">The model's switches.</param>
    public BpeModel(Dictionary<string, int> ids, MergeTable merges, BpeRules rules)
    {
        (_ids, _merges, Rules) = (ids.GetAlternateLookup<ReadOnlySpan<char>>(), merges, rules);
        _longestToken = ids.Count == 0 ? 0 : ids.Keys.Max(token => token.Length);
        _wordsBySpan = _words.GetAlternateLookup<ReadOnlySpan<char>>();
        for (int b = 0; b < 256; b++)
        {
            string token = rules.ByteLevel ? ByteAlphabet.CharacterOf((byte)b).ToString() : $"<0x{b:X2}>";
            _byteIds[b] = ids.GetValueOrDefault(token, -1);
        }
        if (rules.ByteLevel) return;
        foreach ((string token, int id) in ids)
            if (Rune.DecodeFromUtf16(token, out Rune rune, out int length) == System.Buffers.OperationStatus.Done && length == token.Length)
                _runeIds[rune.Value] = id;
    }

    public BpeRules Rules { get; }

    /// <summary>A queue for <see cref="Encode"/>, one per thread.</summary>
    public MergeQueue NewQueue() => new(_merges);

    /// <summary>Appends the ids of one word.</summary>
    public void Encode(ReadOnlySpan<char> word, MergeQueue queue, List<int> result)
    {
        bool remember = word.Length <= LongestRemembered;
        if (remember && _wordsBySpan.TryGetValue(word, out int[]? known))
        {
            result.AddRange(known);
            return;
        }
        int start = result.Count;
        if (Rules.WholeWords && TryWhole(word, out int whole)) result.Add(whole);
        else
        {
            queue.Clear();
            if (Rules.ByteLevel) AddBytes(word, queue);
            else AddRunes(word, queue);
            queue.MergeInto(result);
        }
        if (!remember || Volatile.Read(ref _remembered) >= MostRemembered) return;
        if (_words.TryAdd(word.ToString(), [.. CollectionsMarshal.AsSpan(result)[start..]])) Interlocked.Increment(ref _remembered);
    }

    private bool TryWhole(ReadOnlySpan<char> word, out int id)
    {
        if (!Rules.ByteLevel) return _ids.TryGetValue(word, out id);
        id = 0;
        if (word.Length > _longestToken) return false;
        Span<char> token = word.Length <= LongestRemembered ? stackalloc char[3 * LongestRemembered] : new char[3 * word.Length];
        Span<byte> utf8 = stackalloc byte[4];
        int length = 0;
        foreach (Rune rune in word.EnumerateRunes())
            for (int i = 0, bytes = rune.EncodeToUtf8(utf8); i < bytes; i++)
                token[length++] = ByteAlphabet.CharacterOf(utf8[i]);
        return _ids.TryGetValue(token[..length], out id);
    }

    private void AddBytes(ReadOnlySpan<char> word, MergeQueue queue)
    {
        Span<byte> utf8 = stackalloc byte[4];
        foreach (Rune rune in word.EnumerateRunes())
            for (int i = 0, length = rune.EncodeToUtf8(utf8); i < length; i++)
                if (_byteIds[utf8[i]] >= 0) queue.Add(_byteIds[utf8[i]]);
                else AddUnknown(queue);
    }

    private void AddRunes(ReadOnlySpan<char> word, MergeQueue queue)
    {
        Span<byte> utf8 = stackalloc byte[4];
        foreach (Rune rune in word.EnumerateRunes())
        {
            if (_runeIds.TryGetValue(rune.Value, out int id))
            {
                queue.Add(id);
                continue;
            }
            ReadOnlySpan<byte> bytes = utf8[..rune.EncodeToUtf8(utf8)];
            if (!Rules.ByteFallback || !AllKnown(bytes)) AddUnknown(queue);
            else foreach (byte b in bytes) queue.Add(_byteIds[b]);
        }
    }

    private bool AllKnown(ReadOnlySpan<byte> bytes)
    {
        foreach (byte b in bytes)
            if (_byteIds[b] < 0)
                return false;
        return true;
    }

    /// <summary>Without an unknown token, what cannot be encoded is left out, as the reference does.</summary>
    private void AddUnknown(MergeQueue queue)
    {
        if (Rules.UnknownId is not int unknown) return;
        if (Rules.FuseUnknown && queue.Count > 0 && queue.Last == unknown) return;
        queue.Add(unknown);
    }
}

/// <summary>The switches of a tokenizer.json's model.</summary>
/// <param name="ByteLevel">Words are bytes in <see cref="ByteAlphabet"/>; otherwise they are characters.</param>
/// <param name="ByteFallback">A character outside the vocabulary becomes its bytes' tokens <c>&lt;0xNN&gt;</c>.</param>
/// <param name="FuseUnknown">Neighbouring unknown characters become one unknown token.</param>
/// <param name="WholeWords">A word that is in the vocabulary needs no merges (<c>ignore_merges</c>).</param>
/// <param name="UnknownId">The unknown token.</param>
internal sealed record BpeRules(bool ByteLevel, bool ByteFallback, bool FuseUnknown, bool WholeWords, int? UnknownId);
