using TorchSharp;
using static TorchSharp.torch;

namespace EcoLora.Training.Torch;

/// <summary>Generation on the device: prompts go through whole and one by one in attention; then one token per sequence, all sequences together over their cached keys and values.</summary>
internal sealed class TorchCachedPass : ICachedPass
{
    private readonly TorchBackend _backend;
    private readonly TorchModel _model;
    private readonly LlamaConfig _config;
    private readonly LoraPlan? _plan;
    private readonly float[] _adapter;
    private readonly List<(int Slot, int[] Tokens)> _pending = [];
    private Tensor[] _keys = [], _values = [];
    private TorchLora? _lora;
    private float[] _logits = [];
    private int[] _lengths = [];

    /// <param name="backend">Where it computes.</param>
    /// <param name="model">The base.</param>
    /// <param name="plan">The adapter's shape, or null for none.</param>
    /// <param name="adapter">The adapter; empty for none.</param>
    public TorchCachedPass(TorchBackend backend, TorchModel model, LoraPlan? plan, float[] adapter) =>
        (_backend, _model, _config, _plan, _adapter) = (backend, model, model.Config, plan, adapter);

    /// <inheritdoc/>
    public int Pending => _pending.Count;

    /// <inheritdoc/>
    public ReadOnlySpan<float> Logits => _logits;

    /// <inheritdoc/>
    public void Start(int capacity, int slots)
    {
        Dispose();
        long cache = 2L * _config.Layers * slots * capacity * _config.KeyValueWidth * TorchTransfer.SizeOf(_model.Precision);
        if (_backend.Device.type == DeviceType.CPU) DeviceMemory.Expect(_backend.Device, cache, $"the keys and values of {slots} sequences of {capacity} tokens");
        using DisposeScope scope = NewDisposeScope();
        long[] shape = [slots, _config.KeyValueHeads, capacity, _config.HeadSize];
        // Zeros, not whatever was there: what a mask hides must still be a number.
        _keys = [.. Enumerable.Range(0, _config.Layers).Select(_ => zeros(shape, _model.Precision, _backend.Device).DetachFromDisposeScope())];
        _values = [.. Enumerable.Range(0, _config.Layers).Select(_ => zeros(shape, _model.Precision, _backend.Device).DetachFromDisposeScope())];
        _lora = _plan is null ? null : new TorchLora(_plan, _adapter, _backend.Device, trains: false).Detach();
        _lengths = new int[slots];
        _pending.Clear();
    }

    /// <inheritdoc/>
    public void Append(int slot, ReadOnlySpan<int> tokens) => _pending.Add((slot, tokens.ToArray()));

    /// <inheritdoc/>
    public IReadOnlyList<int> Step()
    {
        lock (_backend.Turn)
        {
            using DisposeScope scope = NewDisposeScope();
            using var noGradient = no_grad();
            Device device = _backend.Device;
            int[] positions = [.. _pending.SelectMany(each => Enumerable.Range(_lengths[each.Slot], each.Tokens.Length))];
            (Tensor, Tensor) rotary = _model.Rotary(TorchTransfer.Indexes(positions, device), positions.Max() + 1);
            Func<int, Func<Tensor, Tensor, Tensor, Tensor>> attend = _pending.TrueForAll(each => each.Tokens.Length == 1) ? Together() : layer => (q, k, v) => OneByOne(layer, q, k, v);
            Tensor x = _model.Embed(TorchTransfer.Indexes([.. _pending.SelectMany(each => each.Tokens)], device));
            for (int layer = 0; layer < _config.Layers; layer++)
            {
                Tensor next = _model.Layer(layer, x, rotary, attend(layer), _lora, masks: null);
                x.Dispose();
                x = next;
            }
            var slots = new int[_pending.Count];
            var last = new int[_pending.Count];
            int end = 0;
            for (int i = 0; i < slots.Length; i++)
            {
                (slots[i], int count) = (_pending[i].Slot, _pending[i].Tokens.Length);
                end += count;
                last[i] = end - 1;
                _lengths[slots[i]] += count;
            }
            Tensor logits = nn.functional.linear(_model.FinalNorm(x.index_select(0, TorchTransfer.Indexes(last, device))), _model.Head).to(ScalarType.Float32);
            if (_logits.Length != slots.Length * _config.Vocabulary) _logits = new float[checked(slots.Length * _config.Vocabulary)];
            TorchTransfer.ToHost(logits, _logits);
            _pending.Clear();
            return slots;
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (Tensor cached in _keys.Concat(_values)) cached.Dispose();
        _lora?.Dispose();
        (_keys, _values, _lora) = ([], [], null);
    }

    /// <summary>Attention of any number of new rows, sequence by sequence.</summary>
    private Tensor OneByOne(int layer, Tensor q, Tensor k, Tensor v)
    {
        using DisposeScope scope = NewDisposeScope();
        var attended = new List<Tensor>();
        int row = 0;
        foreach ((int slot, int[] tokens) in _pending)
        {
            int count = tokens.Length, total = _lengths[slot] + count;
            Tensor keys = Cached(_keys[layer], k), values = Cached(_values[layer], v), queries = q.narrow(0, row, count).transpose(0, 1).unsqueeze(0);
            // Row i of the new ones sees what was there and the new ones up to itself.
            Tensor? mask = count == 1 || _lengths[slot] == 0 ? null : ones([count, total], ScalarType.Bool, _backend.Device).tril(_lengths[slot]);
            attended.Add(nn.functional.scaled_dot_product_attention(
                    queries, TorchAttention.Repeat(keys, _config.Heads), TorchAttention.Repeat(values, _config.Heads), mask, is_casual: count > 1 && mask is null)
                .squeeze(0).transpose(0, 1).reshape(count, _config.QueryWidth));
            row += count;

            // [1, KH, total, d], the new rows among them.
            Tensor Cached(Tensor cache, Tensor added)
            {
                Tensor own = cache.select(0, slot);
                own.narrow(1, _lengths[slot], count).copy_(added.narrow(0, row, count).transpose(0, 1));
                return own.narrow(1, 0, total).unsqueeze(0);
            }
        }
        return cat(attended, 0).MoveToOuterDisposeScope();
    }

    /// <summary>Attention of one new row per sequence, all together: shorter ones see no further than themselves.</summary>
    private Func<int, Func<Tensor, Tensor, Tensor, Tensor>> Together()
    {
        int[] slots = [.. _pending.Select(each => each.Slot)], places = [.. slots.Select(slot => _lengths[slot])];
        int longest = places.Max() + 1;
        Tensor slotRows = TorchTransfer.Indexes(slots, _backend.Device), at = TorchTransfer.Indexes(places, _backend.Device);
        // [sequences, 1, 1, longest].
        Tensor mask = arange(longest, ScalarType.Int64, _backend.Device).unsqueeze(0).le(at.unsqueeze(1)).unsqueeze(1).unsqueeze(1);
        return layer => (q, k, v) =>
        {
            using DisposeScope scope = NewDisposeScope();
            return nn.functional.scaled_dot_product_attention(q.unsqueeze(2), Cached(_keys[layer], k), Cached(_values[layer], v), mask).reshape(slots.Length, _config.QueryWidth).MoveToOuterDisposeScope();

            Tensor Cached(Tensor cache, Tensor added)
            {
                for (int i = 0; i < slots.Length; i++)
                {
                    using Tensor own = cache.select(0, slots[i]), place = own.select(1, places[i]), row = added.select(0, i);
                    place.copy_(row);
                }
                return TorchAttention.Repeat(cache.narrow(2, 0, longest).index_select(0, slotRows), _config.Heads);
            }
        };
    }
}
