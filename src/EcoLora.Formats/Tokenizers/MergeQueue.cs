namespace EcoLora.Formats.Tokenizers;

/// <summary>
/// The merges of byte-pair encoding on one word: the pair of lowest rank, then leftmost, until none is left. Short words look through all pairs each
/// time, which costs less than a queue; long ones have a linked list of tokens and a queue of pairs, O(n log n) in the word's length. One instance
/// serves one thread.
/// </summary>
internal sealed class MergeQueue(MergeTable merges)
{
    private const int LongestShort = 40;

    private readonly PriorityQueue<int, ulong> _queue = new();
    private readonly Merge[] _pairs = new Merge[LongestShort];
    private int[] _ids = new int[64], _previous = new int[64], _next = new int[64];
    private int _count;

    /// <summary>Starts a word.</summary>
    public void Clear() => _count = 0;

    /// <summary>Number of tokens that the word starts with.</summary>
    public int Count => _count;

    /// <summary>The last token that was added.</summary>
    public int Last => _ids[_count - 1];

    /// <summary>Appends a token to the word.</summary>
    public void Add(int id)
    {
        if (_count == _ids.Length)
        {
            Array.Resize(ref _ids, _count * 2);
            Array.Resize(ref _previous, _count * 2);
            Array.Resize(ref _next, _count * 2);
        }
        _ids[_count++] = id;
    }

    /// <summary>Merges until no pair can merge and appends what remains to <paramref name="result"/>.</summary>
    public void MergeInto(List<int> result)
    {
        if (_count <= LongestShort) MergeShort(result);
        else MergeLong(result);
    }

    private void MergeShort(List<int> result)
    {
        Span<int> ids = _ids.AsSpan(0, _count);
        Span<Merge> pairs = _pairs;
        for (int i = 0; i + 1 < ids.Length; i++) pairs[i] = merges.Find(ids[i], ids[i + 1]);
        while (ids.Length > 1)
        {
            int best = 0;
            for (int i = 1; i + 1 < ids.Length; i++)
                if (pairs[i].Rank < pairs[best].Rank)
                    best = i;
            if (pairs[best] == Merge.None) break;
            ids[best] = pairs[best].Id;
            ids[(best + 2)..].CopyTo(ids[(best + 1)..]);
            ids = ids[..^1];
            if (best + 1 < ids.Length)
            {
                pairs[(best + 2)..(ids.Length)].CopyTo(pairs[(best + 1)..]);
                pairs[best] = merges.Find(ids[best], ids[best + 1]);
            }
            if (best > 0) pairs[best - 1] = merges.Find(ids[best - 1], ids[best]);
        }
        result.AddRange(ids);
    }

    private void MergeLong(List<int> result)
    {
        for (int i = 0; i < _count; i++) (_previous[i], _next[i]) = (i - 1, i + 1);
        for (int i = 0; i + 1 < _count; i++) Offer(i);
        while (_queue.TryDequeue(out int left, out ulong priority))
        {
            int right = _next[left];
            // A pair is stale when a token of it has merged since; what stands there now has its own place in the queue.
            if (_ids[left] < 0 || right >= _count) continue;
            Merge merge = merges.Find(_ids[left], _ids[right]);
            if (merge.Rank != (int)(priority >> 32)) continue;
            _ids[left] = merge.Id;
            _ids[right] = -1;
            _next[left] = _next[right];
            if (_next[left] < _count) _previous[_next[left]] = left;
            if (_previous[left] >= 0) Offer(_previous[left]);
            Offer(left);
        }
        for (int i = 0; i < _count; i = _next[i]) result.Add(_ids[i]);
    }

    private void Offer(int left)
    {
        int right = _next[left];
        if (right >= _count) return;
        Merge merge = merges.Find(_ids[left], _ids[right]);
        if (merge != Merge.None) _queue.Enqueue(left, ((ulong)(uint)merge.Rank << 32) | (uint)left);
    }
}
