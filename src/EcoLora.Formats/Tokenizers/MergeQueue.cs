namespace EcoLora.Formats.Tokenizers;

/// <summary>
/// The merges of byte-pair encoding on one word: a linked list of tokens and a queue of the pairs that can merge, lowest rank first, then
/// leftmost. O(n log n) in the word's length. One instance serves one thread.
/// </summary>
internal sealed class MergeQueue(Dictionary<ulong, Merge> merges)
{
    private readonly PriorityQueue<int, ulong> _queue = new();
    private int[] _ids = new int[64], _previous = new int[64], _next = new int[64];
    private int _count;

    /// <summary>Key of a pair of ids.</summary>
    public static ulong Pair(int left, int right) => ((ulong)(uint)left << 32) | (uint)right;

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
        _ids[_count] = id;
        _previous[_count] = _count - 1;
        _next[_count] = _count + 1;
        _count++;
    }

    /// <summary>Merges until no pair can merge and appends what remains to <paramref name="result"/>.</summary>
    public void MergeInto(List<int> result)
    {
        for (int i = 0; i + 1 < _count; i++) Offer(i);
        while (_queue.TryDequeue(out int left, out ulong priority))
        {
            int right = _next[left];
            // A pair is stale when a token of it has merged since; what stands there now has its own place in the queue.
            if (_ids[left] < 0 || right >= _count) continue;
            if (!merges.TryGetValue(Pair(_ids[left], _ids[right]), out Merge merge) || merge.Rank != (int)(priority >> 32)) continue;
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
        if (right >= _count || !merges.TryGetValue(Pair(_ids[left], _ids[right]), out Merge merge)) return;
        _queue.Enqueue(left, ((ulong)(uint)merge.Rank << 32) | (uint)left);
    }
}

/// <summary>What a pair becomes.</summary>
/// <param name="Rank">Position in the list of merges; lower ranks merge first.</param>
/// <param name="Id">The token that the pair becomes.</param>
internal readonly record struct Merge(int Rank, int Id);
