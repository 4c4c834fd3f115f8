using TorchSharp;
using static TorchSharp.torch;

namespace EcoLora.Training.Torch;

/// <summary>
/// Forward and backward passes over batches on the device. The layers' gradients are libtorch's; the head goes through in slices of rows, so that no more logits are there than fit. With
/// recomputation only each layer's input is kept, and the layer runs again on the way back. Nothing is on the device between calls but the model.
/// </summary>
internal sealed class TorchPass : IModelPass<float>
{
    /// <summary>Logits that are on the device at a time, in entries.</summary>
    private const long LogitEntries = 1L << 26;

    private readonly TorchBackend _backend;
    private readonly TorchModel _model;
    private readonly LlamaConfig _config;
    private readonly LoraPlan? _plan;
    private readonly float[]? _fixed;
    private readonly bool _recomputes;
    private float[] _losses = [], _scales = [];
    private byte[] _kept = [];

    /// <param name="backend">Where it computes.</param>
    /// <param name="model">The base.</param>
    /// <param name="plan">The adapter's shape, or null for none.</param>
    /// <param name="fixed">The adapter of a model that is only scored; null where every call brings one.</param>
    /// <param name="recomputesLayers">Keeps only the layers' inputs.</param>
    public TorchPass(TorchBackend backend, TorchModel model, LoraPlan? plan, float[]? @fixed, bool recomputesLayers)
    {
        (_backend, _model, _config, _plan, _fixed, _recomputes) = (backend, model, model.Config, plan, @fixed, recomputesLayers);
    }

    /// <inheritdoc/>
    public ReadOnlySpan<float> Losses(Batch batch) => _losses.AsSpan(0, batch.Scored);

    /// <inheritdoc/>
    public double Loss(Batch batch, ReadOnlySpan<float> adapter, CancellationToken cancellation = default)
    {
        lock (_backend.Turn)
        {
            using DisposeScope scope = NewDisposeScope();
            using var noGradient = no_grad();
            Inputs inputs = Prepare(batch, _fixed ?? adapter, trains: false, dropout: null);
            Head(batch, inputs, Forward(inputs, kept: null, cancellation));
            return Sum(batch);
        }
    }

    /// <inheritdoc/>
    public double LossAndGradient(Batch batch, int divisor, ReadOnlySpan<float> adapter, Span<float> adapterGradient, DropoutMasks? dropout, CancellationToken cancellation = default)
    {
        lock (_backend.Turn)
        {
            ScalesOf(batch).Fill(1f / divisor);
            Train(batch, adapter, adapterGradient, dropout, beforeHead: null, cancellation);
            return Sum(batch);
        }
    }

    /// <inheritdoc/>
    public double LossAndGradient(
        Batch batch, RowObjective<float> objective, ReadOnlySpan<float> adapter, Span<float> adapterGradient, DropoutMasks? dropout, CancellationToken cancellation = default)
    {
        lock (_backend.Turn)
        {
            double loss = 0;
            Train(batch, adapter, adapterGradient, dropout, (inputs, output) =>
            {
                using (no_grad()) Head(batch, inputs, output);
                loss = objective(batch, Losses(batch), ScalesOf(batch));
            }, cancellation);
            return loss;
        }
    }

    /// <summary>Forward and back, with the rows' scales as they are when the head begins.</summary>
    private void Train(
        Batch batch, ReadOnlySpan<float> adapter, Span<float> gradient, DropoutMasks? dropout, Action<Inputs, Tensor>? beforeHead, CancellationToken cancellation)
    {
        using DisposeScope scope = NewDisposeScope();
        Inputs inputs = Prepare(batch, adapter, trains: true, dropout);
        var kept = new List<Tensor>();
        Tensor output = ForwardToTrain(inputs, kept, cancellation);
        beforeHead?.Invoke(inputs, output);
        Backward(inputs, kept, output, HeadGradient(batch, inputs, output), cancellation);
        inputs.Lora!.AddGradient(gradient);
    }

    /// <summary>What a batch brings to the device.</summary>
    private sealed record Inputs(Tensor Tokens, Tensor Scored, Tensor Targets, (Tensor Cosines, Tensor Sines) Rotary, TorchAttention Attention, TorchLora? Lora, Func<int, Func<LinearKind, Tensor>?> Masks);

    private Inputs Prepare(Batch batch, ReadOnlySpan<float> adapter, bool trains, DropoutMasks? dropout)
    {
        _plan?.Expect(adapter.Length);
        // On a CUDA device what libtorch has freed counts as used, and its own refusal is an exception.
        if (_backend.Device.type == DeviceType.CPU) DeviceMemory.Expect(_backend.Device, Activations(batch, trains), $"a group of {batch.Rows} tokens; a smaller training.batch_size, a shorter data.window or recompute: true takes less");
        if (_losses.Length < batch.Scored) _losses = new float[batch.Scored];
        Device device = _backend.Device;
        double probability = dropout is null ? 0 : _plan!.Options.Dropout;
        return new Inputs(
            TorchTransfer.Indexes(batch.Tokens, device), TorchTransfer.Indexes(batch.ScoredRows, device), TorchTransfer.Indexes(batch.Targets, device),
            _model.Rotary(TorchTransfer.Indexes(batch.Positions, device), batch.LongestSequence),
            new TorchAttention(batch, device), _plan is null ? null : new TorchLora(_plan, adapter, device, trains),
            layer => probability > 0 ? kind => Mask(batch, dropout!, layer, kind, probability) : null);
    }

    /// <summary>The layers without gradient; their inputs go to <paramref name="kept"/>, where there is one.</summary>
    private Tensor Forward(Inputs inputs, List<Tensor>? kept, CancellationToken cancellation)
    {
        Tensor x = _model.Embed(inputs.Tokens);
        for (int layer = 0; layer < _config.Layers; layer++)
        {
            cancellation.ThrowIfCancellationRequested();
            kept?.Add(x);
            Tensor next = _model.Layer(layer, x, inputs.Rotary, inputs.Attention.Attend, inputs.Lora, inputs.Masks(layer));
            if (kept is null) x.Dispose();
            x = next;
        }
        return x;
    }

    private Tensor ForwardToTrain(Inputs inputs, List<Tensor> kept, CancellationToken cancellation)
    {
        if (_recomputes)
        {
            using var noGradient = no_grad();
            return Forward(inputs, kept, cancellation);
        }
        Tensor x = _model.Embed(inputs.Tokens);
        for (int layer = 0; layer < _config.Layers; layer++)
        {
            cancellation.ThrowIfCancellationRequested();
            x = _model.Layer(layer, x, inputs.Rotary, inputs.Attention.Attend, inputs.Lora, inputs.Masks(layer));
        }
        return x;
    }

    private void Backward(Inputs inputs, List<Tensor> kept, Tensor output, Tensor gradient, CancellationToken cancellation)
    {
        if (!_recomputes)
        {
            if (output.requires_grad) autograd.backward([output], [gradient]);
            return;
        }
        for (int layer = _config.Layers - 1; layer >= 0; layer--)
        {
            cancellation.ThrowIfCancellationRequested();
            using DisposeScope scope = NewDisposeScope();
            // Below the first layer nothing needs a gradient.
            Tensor x = kept[layer].detach().requires_grad_(layer > 0);
            Tensor again = _model.Layer(layer, x, inputs.Rotary, inputs.Attention.Attend, inputs.Lora, inputs.Masks(layer));
            if (again.requires_grad) autograd.backward([again], [gradient]);
            gradient.Dispose();
            if (layer > 0) gradient = x.grad!.MoveToOuterDisposeScope();
            kept[layer].Dispose();
        }
    }

    /// <summary>The rows' losses, without gradient.</summary>
    private void Head(Batch batch, Inputs inputs, Tensor output)
    {
        using DisposeScope scope = NewDisposeScope();
        Tensor normed = _model.FinalNorm(output.index_select(0, inputs.Scored));
        foreach ((int first, int rows) in Slices(batch)) LossesOf(inputs, normed, first, rows).Dispose();
    }

    /// <summary>The rows' losses ℓ, and the gradient of Σ sᵢ·ℓᵢ by the last layer's output [N, D].</summary>
    private Tensor HeadGradient(Batch batch, Inputs inputs, Tensor output)
    {
        using DisposeScope scope = NewDisposeScope();
        Tensor leaf = output.detach().requires_grad_(true), normed = _model.FinalNorm(leaf.index_select(0, inputs.Scored));
        Tensor scales = TorchTransfer.ToDevice<float>(_scales.AsSpan(0, batch.Scored), ScalarType.Float32, _backend.Device);
        Tensor total = zeros_like(normed);
        foreach ((int first, int rows) in Slices(batch))
        {
            using DisposeScope slice = NewDisposeScope();
            Tensor x = normed.narrow(0, first, rows).detach().requires_grad_(true);
            Tensor losses = LossesOf(inputs, x, 0, rows, first);
            autograd.backward([losses], [scales.narrow(0, first, rows)]);
            total.narrow(0, first, rows).copy_(x.grad!);
        }
        autograd.backward([normed], [total]);
        return leaf.grad!.MoveToOuterDisposeScope();
    }

    /// <summary>−ln p of some scored rows, which are written to the pass's losses too.</summary>
    /// <param name="inputs">The batch's.</param>
    /// <param name="normed">Normalised outputs.</param>
    /// <param name="first">First row in them.</param>
    /// <param name="rows">How many.</param>
    /// <param name="place">First row among the scored ones; as in them by default.</param>
    private Tensor LossesOf(Inputs inputs, Tensor normed, int first, int rows, int? place = null)
    {
        using DisposeScope scope = NewDisposeScope();
        int at = place ?? first;
        Tensor logits = nn.functional.linear(normed.narrow(0, first, rows), _model.Head).to(ScalarType.Float32);
        Tensor losses = nn.functional.cross_entropy(logits, inputs.Targets.narrow(0, at, rows), reduction: nn.Reduction.None);
        TorchTransfer.ToHost(losses.detach(), _losses.AsSpan(at, rows));
        return losses.MoveToOuterDisposeScope();
    }

    private IEnumerable<(int First, int Rows)> Slices(Batch batch)
    {
        int most = (int)Math.Max(1, LogitEntries / _config.Vocabulary);
        for (int first = 0; first < batch.Scored; first += most) yield return (first, Math.Min(most, batch.Scored - first));
    }

    private Tensor Mask(Batch batch, DropoutMasks masks, int layer, LinearKind kind, double probability)
    {
        int width = _config.ShapeOf(kind).Inputs, length = checked(batch.Rows * width);
        if (_kept.Length < length) _kept = new byte[length];
        masks.Draw(_kept.AsSpan(0, length), batch, layer, kind, width, probability);
        using DisposeScope scope = NewDisposeScope();
        Tensor kept = TorchTransfer.ToDevice<byte>(_kept.AsSpan(0, length), ScalarType.Byte, _backend.Device).view(batch.Rows, width);
        return (kept.to(_model.Precision) * (1 / (1 - probability))).MoveToOuterDisposeScope();
    }

    private Span<float> ScalesOf(Batch batch)
    {
        if (_scales.Length < batch.Scored) _scales = new float[batch.Scored];
        return _scales.AsSpan(0, batch.Scored);
    }

    private double Sum(Batch batch)
    {
        double sum = 0;
        foreach (float loss in Losses(batch)) sum += loss;
        return sum;
    }

    /// <summary>Bytes that a batch needs at least: the kept activations of its layers, and the head's logits with their gradient.</summary>
    private long Activations(Batch batch, bool trains)
    {
        long size = TorchTransfer.SizeOf(_model.Precision), d = _config.HiddenSize, rows = batch.Rows;
        long layer = size * rows * (4 * d + 2L * _config.QueryWidth + 2L * _config.KeyValueWidth + 3L * _config.IntermediateSize);
        long kept = !trains ? layer : _recomputes ? size * rows * d * _config.Layers + layer : layer * _config.Layers;
        return kept + 3 * sizeof(float) * Math.Min(LogitEntries, (long)batch.Scored * _config.Vocabulary);
    }
}
