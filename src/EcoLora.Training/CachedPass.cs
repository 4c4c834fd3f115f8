using EcoLora.Numerics;

namespace EcoLora.Training;

/// <summary>
/// The forward pass of generation: the new tokens of several sequences go through the layers together as rows (first the whole prompts, then one token each),
/// and attention reads each sequence's cached keys and values. Forward only; training's pass is <see cref="LlamaPass{T}"/>.
/// </summary>
internal sealed class CachedPass : ICachedPass
{
    private readonly LlamaWeights<float> _weights;
    private readonly LlamaConfig _config;
    private readonly List<(int Slot, int Rows)> _pending = [];
    private readonly List<int> _stepped = [];
    private float[] _keys = [], _values = [], _cosines = [], _sines = [], _attentionScratch = [], _logSums = [];
    private float[] _residual = [], _normed = [], _factors = [], _q = [], _k = [], _v = [], _attended = [], _gate = [], _up = [], _last = [], _logits = [];
    private int[] _tokens = [], _positions = [], _lengths = [];
    private int _capacity, _tableCapacity, _slots, _rows;

    public CachedPass(LlamaModel model) => (_weights, _config) = (model.Weights, model.Config);

    /// <summary>Its memory is the collector's.</summary>
    public void Dispose()
    {
    }

    /// <inheritdoc/>
    public int Pending => _pending.Count;

    /// <inheritdoc/>
    public void Start(int capacity, int slots)
    {
        (_capacity, _slots) = (capacity, slots);
        int cache = checked(_config.Layers * slots * capacity * _config.KeyValueWidth);
        if (_keys.Length < cache) (_keys, _values) = (new float[cache], new float[cache]);
        if (_tableCapacity < capacity)
        {
            _tableCapacity = capacity;
            _cosines = new float[capacity * (_config.HeadSize / 2)];
            _sines = new float[_cosines.Length];
            Rope.FillTables<float>(_cosines, _sines, capacity, _config.HeadSize, _config.RopeTheta, _config.RopeScaling);
            _attentionScratch = new float[Attention.ScratchLength(capacity)];
        }
        _lengths = new int[slots];
        _pending.Clear();
        _rows = 0;
    }

    /// <inheritdoc/>
    public void Append(int slot, ReadOnlySpan<int> tokens)
    {
        if (_tokens.Length < _rows + tokens.Length)
        {
            Array.Resize(ref _tokens, 2 * (_rows + tokens.Length));
            Array.Resize(ref _positions, _tokens.Length);
        }
        for (int i = 0; i < tokens.Length; i++)
        {
            _tokens[_rows + i] = tokens[i];
            _positions[_rows + i] = _lengths[slot] + i;
        }
        _rows += tokens.Length;
        _pending.Add((slot, tokens.Length));
    }

    /// <inheritdoc/>
    public IReadOnlyList<int> Step()
    {
        int rows = _rows, d = _config.HiddenSize, f = _config.IntermediateSize, q = _config.QueryWidth, kv = _config.KeyValueWidth;
        Reserve(rows);
        ReadOnlySpan<int> positions = _positions.AsSpan(0, rows);
        Span<float> residual = _residual.AsSpan(0, rows * d), normed = _normed.AsSpan(0, rows * d), factors = _factors.AsSpan(0, rows);
        Span<float> queries = _q.AsSpan(0, rows * q), keys = _k.AsSpan(0, rows * kv), values = _v.AsSpan(0, rows * kv),
            attended = _attended.AsSpan(0, rows * q);
        Span<float> gate = _gate.AsSpan(0, rows * f), up = _up.AsSpan(0, rows * f);
        Embedding.Forward(_weights.Embedding.Span, _tokens.AsSpan(0, rows), residual, d);
        for (int layer = 0; layer < _config.Layers; layer++)
        {
            LayerWeights<float> w = _weights.Layers[layer];
            RmsNorm.Forward(residual, w.AttentionNorm.Span, normed, factors, _config.NormEpsilon);
            Linear(layer, LinearKind.Query, normed, queries, rows);
            Linear(layer, LinearKind.Key, normed, keys, rows);
            Linear(layer, LinearKind.Value, normed, values, rows);
            Rope.Forward(queries, positions, _cosines, _sines, _config.HeadSize);
            Rope.Forward(keys, positions, _cosines, _sines, _config.HeadSize);
            Attend(layer, queries, keys, values, attended);
            Linear(layer, LinearKind.Output, attended, residual, rows, accumulate: true);
            RmsNorm.Forward(residual, w.FeedForwardNorm.Span, normed, factors, _config.NormEpsilon);
            Linear(layer, LinearKind.Gate, normed, gate, rows);
            Linear(layer, LinearKind.Up, normed, up, rows);
            SwiGlu.Forward(gate, up, gate);
            Linear(layer, LinearKind.Down, gate, residual, rows, accumulate: true);
        }
        return Head(residual);
    }

    /// <inheritdoc/>
    public ReadOnlySpan<float> Logits => _logits;

    /// <summary>Y (+)= X·Wᵀ + b.</summary>
    private void Linear(int layer, LinearKind kind, ReadOnlySpan<float> x, Span<float> y, int rows, bool accumulate = false)
    {
        (int outputs, int inputs) = _config.ShapeOf(kind);
        LayerWeights<float> w = _weights.Layers[layer];
        MatMul.Forward(x, w.Linear[(int)kind].Span, y, rows, inputs, outputs, accumulate);
        ReadOnlySpan<float> bias = w.Bias[(int)kind].Span;
        for (int row = 0; row < rows && !bias.IsEmpty; row++) VectorMath.Axpy(1, bias, y.Slice(row * outputs, outputs));
    }

    private void Attend(int layer, ReadOnlySpan<float> queries, ReadOnlySpan<float> keys, ReadOnlySpan<float> values, Span<float> attended)
    {
        int q = _config.QueryWidth, kv = _config.KeyValueWidth, row = 0;
        foreach ((int slot, int rows) in _pending)
        {
            int cache = (layer * _slots + slot) * _capacity * kv, total = _lengths[slot] + rows;
            keys.Slice(row * kv, rows * kv).CopyTo(_keys.AsSpan(cache + _lengths[slot] * kv));
            values.Slice(row * kv, rows * kv).CopyTo(_values.AsSpan(cache + _lengths[slot] * kv));
            Attention.Forward(
                queries.Slice(row * q, rows * q), _keys.AsSpan(cache, total * kv), _values.AsSpan(cache, total * kv), attended.Slice(row * q, rows * q),
                _logSums.AsSpan(0, rows * _config.Heads), _attentionScratch, _config.Heads, _config.KeyValueHeads);
            row += rows;
        }
    }

    private List<int> Head(ReadOnlySpan<float> residual)
    {
        int d = _config.HiddenSize, v = _config.Vocabulary, sequences = _pending.Count, row = 0;
        if (_last.Length != sequences * d) (_last, _logits) = (new float[sequences * d], new float[checked(sequences * v)]);
        for (int i = 0; i < sequences; i++)
        {
            row += _pending[i].Rows;
            residual.Slice((row - 1) * d, d).CopyTo(_last.AsSpan(i * d));
        }
        RmsNorm.Forward(_last, _weights.FinalNorm.Span, _last, _factors.AsSpan(0, sequences), _config.NormEpsilon);
        MatMul.Forward(_last, _weights.Head.Span, _logits.AsSpan(), sequences, d, v);
        GC.KeepAlive(_weights);   // whose spans may lie in a mapped file
        _stepped.Clear();
        foreach ((int slot, int rows) in _pending)
        {
            _lengths[slot] += rows;
            _stepped.Add(slot);
        }
        _pending.Clear();
        _rows = 0;
        return _stepped;
    }

    private void Reserve(int rows)
    {
        if (_factors.Length >= rows) return;
        int d = _config.HiddenSize, f = _config.IntermediateSize, q = _config.QueryWidth, kv = _config.KeyValueWidth;
        (_residual, _normed, _factors, _logSums) = (new float[rows * d], new float[rows * d], new float[rows], new float[rows * _config.Heads]);
        (_q, _k, _v, _attended) = (new float[rows * q], new float[rows * kv], new float[rows * kv], new float[rows * q]);
        (_gate, _up) = (new float[rows * f], new float[rows * f]);
    }
}
