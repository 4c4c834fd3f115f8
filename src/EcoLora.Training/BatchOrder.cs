using EcoLora.Numerics;

namespace EcoLora.Training;

/// <summary>
/// The batches of an epoch, bucketed by length: the examples are shuffled, sorted by length inside runs of 16 batches (stable, so equal lengths keep the
/// random order), cut into batches, and the batches are shuffled. Batches then differ little in length inside, so each sequence of a step has a similar share
/// of its loss, and the order stays random.
/// </summary>
internal sealed class BatchOrder
{
    private const int BatchesPerRun = 16;

    private readonly IReadOnlyList<Example> _examples;
    private readonly RandomStream _stream;
    private readonly int _batchSize, _together;
    private readonly int[] _order, _scratch, _starts;
    private int _next;

    /// <param name="examples">The examples.</param>
    /// <param name="batchSize">Items of a batch.</param>
    /// <param name="stream">Decides the order.</param>
    /// <param name="together">Neighbouring examples that are one item: 1, or 2 for a pair, whose length is that of both.</param>
    public BatchOrder(IReadOnlyList<Example> examples, int batchSize, RandomStream stream, int together = 1)
    {
        (_examples, _batchSize, _stream, _together) = (examples, batchSize, stream, together);
        int items = examples.Count / together;
        _order = [.. Enumerable.Range(0, items)];
        _scratch = new int[items];
        _starts = new int[(items + batchSize - 1) / batchSize];
        _next = _starts.Length;
    }

    /// <summary>The items of the next batch; starts a new epoch when the last one is used up.</summary>
    public ReadOnlySpan<int> Next()
    {
        if (_next == _starts.Length) StartEpoch();
        int start = _starts[_next++];
        return _order.AsSpan(start, Math.Min(_batchSize, _order.Length - start));
    }

    private void StartEpoch()
    {
        for (int i = 0; i < _order.Length; i++) _order[i] = i;
        _stream.Shuffle(_order.AsSpan());
        int run = checked((int)Math.Min((long)BatchesPerRun * _batchSize, _order.Length));
        for (int start = 0; start < _order.Length; start += run) SortByLength(_order.AsSpan(start, Math.Min(run, _order.Length - start)));
        for (int i = 0; i < _starts.Length; i++) _starts[i] = i * _batchSize;
        _stream.Shuffle(_starts.AsSpan());
        _next = 0;
    }

    /// <summary>A stable sort: equal lengths are told apart by their place.</summary>
    private void SortByLength(Span<int> run)
    {
        Span<int> places = _scratch.AsSpan(0, run.Length);
        run.CopyTo(places);
        long[] keys = new long[run.Length];
        for (int i = 0; i < run.Length; i++) keys[i] = (LengthOf(run[i]) << 32) | (uint)i;
        keys.AsSpan().Sort(run);
    }

    private long LengthOf(int item)
    {
        long length = 0;
        for (int i = item * _together; i < (item + 1) * _together; i++) length += _examples[i].Tokens.Length;
        return length;
    }
}
