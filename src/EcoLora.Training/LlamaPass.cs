using System.Numerics;
using EcoLora.Numerics;

namespace EcoLora.Training;

/// <summary>
/// The forward and backward pass of a decoder over a batch, on one thread: h = x + o(attention(q, k, v of norm(x))); y = h + down(silu(gate)∘up of norm(h)).
/// Rows N are the batch's; D, F, H, d, V as in <see cref="LlamaConfig"/>. The same code computes in float for training and in double for the gradient checks.
/// </summary>
internal sealed partial class LlamaPass<T> : IModelPass<T>
    where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    private readonly LlamaWeights<T> _weights;
    private readonly LlamaConfig _config;
    private readonly ParameterLayout _parameters;
    private readonly LoraPlan? _lora;
    private readonly SimdPath _path;
    private readonly Activations<T> _memory;
    private readonly bool _recomputes;
    private T[] _cosines = [], _sines = [], _rowScales = [];
    private int _tablePositions;

    /// <param name="weights">The base weights, read only; may be changed between calls.</param>
    /// <param name="lora">The adapter's shape, or null for none.</param>
    /// <param name="kept">What is kept for the backward pass.</param>
    /// <param name="path">Code path of every kernel.</param>
    public LlamaPass(LlamaWeights<T> weights, LoraPlan? lora, PassMemory kept, SimdPath path = SimdPath.Fastest)
    {
        (_weights, _config, _lora, _path) = (weights, weights.Config, lora, path);
        _parameters = ParameterLayout.Of(_config);
        _memory = new Activations<T>(_config, lora, kept);
        _recomputes = kept == PassMemory.Inputs;
    }

    /// <inheritdoc/>
    public ReadOnlySpan<T> Losses(Batch batch) => _memory.Losses.AsSpan(0, batch.Scored);

    /// <inheritdoc/>
    public double Loss(Batch batch, ReadOnlySpan<T> adapter, CancellationToken cancellation = default)
    {
        ForwardLayers(batch, adapter, dropout: null, cancellation);
        double loss = Head(batch, gradientScale: T.Zero, rowScales: [], baseGradient: []);
        GC.KeepAlive(_weights);   // whose spans may lie in a mapped file
        return loss;
    }

    /// <inheritdoc/>
    public double LossAndGradient(Batch batch, int divisor, ReadOnlySpan<T> adapter, Span<T> adapterGradient, DropoutMasks? dropout, CancellationToken cancellation = default) =>
        LossAndGradient(batch, divisor, adapter, adapterGradient, baseGradient: [], dropout, cancellation);

    /// <summary>
    /// As <see cref="Loss"/>, and adds the gradient of the losses' sum, divided by <paramref name="divisor"/>, to the given vectors.
    /// </summary>
    /// <param name="batch">At least one scored row.</param>
    /// <param name="divisor">The scored rows of the whole step: the gradient is its mean's.</param>
    /// <param name="adapter">The LoRA vector, or empty without LoRA.</param>
    /// <param name="adapterGradient">The LoRA vector's gradient, or empty for none.</param>
    /// <param name="baseGradient">The gradient of all base weights in the order of <see cref="ParameterLayout"/>, or empty for none.</param>
    /// <param name="dropout">The step's dropout masks; null turns dropout off.</param>
    /// <param name="cancellation">Honoured between layers.</param>
    public double LossAndGradient(
        Batch batch, int divisor, ReadOnlySpan<T> adapter, Span<T> adapterGradient, Span<T> baseGradient, DropoutMasks? dropout,
        CancellationToken cancellation = default)
    {
        ForwardLayers(batch, adapter, dropout, cancellation);
        double loss = Head(batch, T.One / T.CreateTruncating(divisor), rowScales: [], baseGradient);
        BackwardLayers(new Step(batch, dropout, cancellation), adapter, adapterGradient, baseGradient);
        GC.KeepAlive(_weights);
        return loss;
    }

    /// <inheritdoc/>
    public double LossAndGradient(
        Batch batch, RowObjective<T> objective, ReadOnlySpan<T> adapter, Span<T> adapterGradient, DropoutMasks? dropout, CancellationToken cancellation = default)
    {
        ForwardLayers(batch, adapter, dropout, cancellation);
        Head(batch, gradientScale: T.Zero, rowScales: [], baseGradient: []);
        if (_rowScales.Length < batch.Scored) _rowScales = new T[batch.Scored];
        Span<T> scales = _rowScales.AsSpan(0, batch.Scored);
        double loss = objective(batch, Losses(batch), scales);
        Head(batch, T.One, scales, baseGradient: []);
        BackwardLayers(new Step(batch, dropout, cancellation), adapter, adapterGradient, baseGradient: []);
        GC.KeepAlive(_weights);
        return loss;
    }

    private void ForwardLayers(Batch batch, ReadOnlySpan<T> adapter, DropoutMasks? dropout, CancellationToken cancellation)
    {
        _lora?.Expect(adapter.Length);
        BatchMasks? masks = MasksOf(batch, dropout);
        int rows = batch.Rows, d = _config.HiddenSize;
        _memory.Reserve(rows, batch.Scored, batch.LongestSequence);
        ReserveTables(batch.LongestSequence);
        Embedding.Forward(_weights.Embedding.Span, batch.Tokens, Of(_memory.Residual[0], rows, d), d);
        for (int layer = 0; layer < _config.Layers; layer++)
        {
            cancellation.ThrowIfCancellationRequested();
            ForwardLayer(layer, batch, adapter, masks);
            Span<T> middle = Of(_memory.Layers[layer].Middle, rows, d), output = Of(_memory.Residual[layer + 1], rows, d);
            middle.CopyTo(output);
            LinearForward(layer, LinearKind.Down, GatedOf(layer, rows), output, adapter, masks, accumulate: true);
        }
    }

    /// <summary>A layer's forward pass up to gate and up, which is all that its backward pass needs.</summary>
    private void ForwardLayer(int layer, Batch batch, ReadOnlySpan<T> adapter, BatchMasks? masks)
    {
        int rows = batch.Rows, d = _config.HiddenSize, f = _config.IntermediateSize, q = _config.QueryWidth, kv = _config.KeyValueWidth;
        LayerActivations<T> m = _memory.Layers[layer];
        Span<T> middle = Of(m.Middle, rows, d), normed = AttentionNormedOf(layer, rows);
        LinearForward(layer, LinearKind.Query, normed, Of(m.Q, rows, q), adapter, masks, accumulate: false);
        LinearForward(layer, LinearKind.Key, normed, Of(m.K, rows, kv), adapter, masks, accumulate: false);
        LinearForward(layer, LinearKind.Value, normed, Of(m.V, rows, kv), adapter, masks, accumulate: false);
        Rope.Forward(Of(m.Q, rows, q), batch.Positions, _cosines, _sines, _config.HeadSize, _path);
        Rope.Forward(Of(m.K, rows, kv), batch.Positions, _cosines, _sines, _config.HeadSize, _path);
        AttentionForward(batch, m);
        Of(_memory.Residual[layer], rows, d).CopyTo(middle);
        LinearForward(layer, LinearKind.Output, Of(m.Attended, rows, q), middle, adapter, masks, accumulate: true);
        normed = FeedForwardNormedOf(layer, rows);
        LinearForward(layer, LinearKind.Gate, normed, Of(m.Gate, rows, f), adapter, masks, accumulate: false);
        LinearForward(layer, LinearKind.Up, normed, Of(m.Up, rows, f), adapter, masks, accumulate: false);
    }

    /// <summary>What all layers of one step back have in common.</summary>
    private readonly record struct Step(Batch Batch, DropoutMasks? Dropout, CancellationToken Cancellation);

    private void BackwardLayers(Step step, ReadOnlySpan<T> adapter, Span<T> adapterGradient, Span<T> baseGradient)
    {
        for (int layer = _config.Layers - 1; layer >= 0; layer--)
        {
            step.Cancellation.ThrowIfCancellationRequested();
            if (_recomputes) ForwardAgain(layer, step, adapter);
            BackwardLayer(layer, step, adapter, adapterGradient, baseGradient);
        }
        int rows = step.Batch.Rows, d = _config.HiddenSize;
        if (!baseGradient.IsEmpty) Embedding.Backward(Of(_memory.DResidual, rows, d), step.Batch.Tokens, GradientOf(baseGradient, ParameterLayout.Embedding), d);
    }

    /// <summary>Fills what the layers share with this layer's forward pass, apart from its output.</summary>
    private void ForwardAgain(int layer, Step step, ReadOnlySpan<T> adapter)
    {
        BatchMasks? masks = MasksOf(step.Batch, step.Dropout);
        ForwardLayer(layer, step.Batch, adapter, masks);
        if (_lora?[layer, LinearKind.Down] is not null)
            LoraHidden(layer, LinearKind.Down, GatedOf(layer, step.Batch.Rows), adapter, masks);
    }

    private void BackwardLayer(int layer, Step step, ReadOnlySpan<T> adapter, Span<T> adapterGradient, Span<T> baseGradient)
    {
        int rows = step.Batch.Rows, d = _config.HiddenSize, f = _config.IntermediateSize, q = _config.QueryWidth, kv = _config.KeyValueWidth;
        Span<T> residual = Of(_memory.DResidual, rows, d), dNormed = Of(_memory.DNormed, rows, d);
        LayerActivations<T> m = _memory.Layers[layer];
        LayerWeights<T> w = _weights.Layers[layer];
        var linear = new LinearStep(layer, rows, step.Dropout is not null);

        Span<T> dGated = Of(_memory.DGated, rows, f), gate = Of(m.Gate, rows, f), up = Of(m.Up, rows, f);
        ReadOnlySpan<T> gated = !baseGradient.IsEmpty || _lora?.Options.Carries(LinearKind.Down) == true ? GatedOf(layer, rows) : [];
        LinearBackward(linear, LinearKind.Down, gated, residual, dGated, adapter, adapterGradient, baseGradient, accumulate: false);
        SwiGlu.Backward(gate, up, dGated, gate, up, _path);   // gate and up now hold their own gradients
        ReadOnlySpan<T> normed = FeedForwardNormedOf(layer, rows);
        LinearBackward(linear, LinearKind.Gate, normed, gate, dNormed, adapter, adapterGradient, baseGradient, accumulate: false);
        LinearBackward(linear, LinearKind.Up, normed, up, dNormed, adapter, adapterGradient, baseGradient, accumulate: true);
        // Below the first adapter of the first layer nothing needs a gradient while the base is frozen.
        bool isLowest = layer == 0 && baseGradient.IsEmpty;
        if (isLowest && _lora?.CarriesBelow(LinearKind.Gate) != true) return;
        RmsNorm.Backward(
            Of(m.Middle, rows, d), w.FeedForwardNorm.Span, _memory.Factors.AsSpan(0, rows), dNormed, residual,
            GradientOf(baseGradient, _parameters.FeedForwardNormOf(layer)), _path);

        Span<T> dAttended = Of(_memory.DAttended, rows, q), dq = Of(_memory.DQ, rows, q), dk = Of(_memory.DK, rows, kv), dv = Of(_memory.DV, rows, kv);
        LinearBackward(linear, LinearKind.Output, Of(m.Attended, rows, q), residual, dAttended, adapter, adapterGradient, baseGradient, accumulate: false);
        if (isLowest && _lora?.CarriesBelow(LinearKind.Output) != true) return;
        AttentionBackward(step.Batch, m);
        Rope.Backward(dq, step.Batch.Positions, _cosines, _sines, _config.HeadSize, _path);
        Rope.Backward(dk, step.Batch.Positions, _cosines, _sines, _config.HeadSize, _path);
        Span<T> below = isLowest ? [] : dNormed;
        normed = AttentionNormedOf(layer, rows);
        LinearBackward(linear, LinearKind.Query, normed, dq, below, adapter, adapterGradient, baseGradient, accumulate: false);
        LinearBackward(linear, LinearKind.Key, normed, dk, below, adapter, adapterGradient, baseGradient, accumulate: true);
        LinearBackward(linear, LinearKind.Value, normed, dv, below, adapter, adapterGradient, baseGradient, accumulate: true);
        if (isLowest) return;
        RmsNorm.Backward(
            Of(_memory.Residual[layer], rows, d), w.AttentionNorm.Span, _memory.Factors.AsSpan(0, rows), dNormed, residual,
            GradientOf(baseGradient, _parameters.AttentionNormOf(layer)), _path);
    }

    /// <summary>The input of attention's layers and the factors of its rows, made from the residual stream: cheaper to make twice than to keep.</summary>
    private Span<T> AttentionNormedOf(int layer, int rows) => NormedOf(_memory.Residual[layer], _weights.Layers[layer].AttentionNorm.Span, rows);

    /// <summary>The same for the feed-forward layers.</summary>
    private Span<T> FeedForwardNormedOf(int layer, int rows) => NormedOf(_memory.Layers[layer].Middle, _weights.Layers[layer].FeedForwardNorm.Span, rows);

    private Span<T> NormedOf(T[] x, ReadOnlySpan<T> gains, int rows)
    {
        Span<T> normed = Of(_memory.Normed, rows, _config.HiddenSize);
        RmsNorm.Forward(Of(x, rows, _config.HiddenSize), gains, normed, _memory.Factors.AsSpan(0, rows), _config.NormEpsilon, _path);
        return normed;
    }

    /// <summary>silu(gate)∘up of a layer, from its gate and up.</summary>
    private Span<T> GatedOf(int layer, int rows)
    {
        Span<T> gated = Of(_memory.Gated, rows, _config.IntermediateSize);
        SwiGlu.Forward(Of(_memory.Layers[layer].Gate, rows, _config.IntermediateSize), Of(_memory.Layers[layer].Up, rows, _config.IntermediateSize), gated, _path);
        return gated;
    }

    /// <summary>
    /// Norm, logits and loss of the scored rows only, <see cref="Activations{T}.HeadRows"/> rows of logits at a time. With a gradient scale it also leaves
    /// the gradient of the last layer's output in the residual gradient; row scales, where there are any, multiply each row's.
    /// </summary>
    private double Head(Batch batch, T gradientScale, ReadOnlySpan<T> rowScales, Span<T> baseGradient)
    {
        int scored = batch.Scored, d = _config.HiddenSize, v = _config.Vocabulary;
        bool gradient = gradientScale != T.Zero;
        Span<T> output = Of(_memory.ScoredOutput, scored, d), normed = Of(_memory.ScoredNormed, scored, d), losses = _memory.Losses.AsSpan(0, scored);
        Weights<T> head = _weights.Head.Span;
        for (int i = 0; i < scored; i++) _memory.Residual[^1].AsSpan(batch.ScoredRows[i] * d, d).CopyTo(output[(i * d)..]);
        RmsNorm.Forward(output, _weights.FinalNorm.Span, normed, _memory.ScoredFactor.AsSpan(0, scored), _config.NormEpsilon, _path);
        for (int first = 0; first < scored; first += Activations<T>.HeadRows)
        {
            int rows = Math.Min(Activations<T>.HeadRows, scored - first);
            Span<T> x = normed.Slice(first * d, rows * d), logits = Of(_memory.Logits, rows, v);
            MatMul.Forward(x, head, logits, rows, d, v, accumulate: false, _path);
            if (!gradient)
            {
                CrossEntropy.Forward(logits, batch.Targets.Slice(first, rows), losses.Slice(first, rows), _path);
                continue;
            }
            CrossEntropy.ForwardBackward(logits, batch.Targets.Slice(first, rows), losses.Slice(first, rows), gradientScale, _path);
            for (int row = 0; row < rows && !rowScales.IsEmpty; row++) VectorMath.Scale(rowScales[first + row], logits.Slice(row * v, v), _path);
            MatMul.InputGradient(logits, head, _memory.DScored.AsSpan(first * d, rows * d), rows, d, v, accumulate: false, _path);
            Span<T> headGradient = GradientOf(baseGradient, _parameters.Head);
            if (!headGradient.IsEmpty) MatMul.WeightGradient(logits, x, headGradient, rows, d, v, accumulate: true, _path);
        }
        if (gradient)
        {
            Span<T> dOutput = Of(_memory.DScoredOutput, scored, d), residual = Of(_memory.DResidual, batch.Rows, d);
            dOutput.Clear();
            residual.Clear();
            RmsNorm.Backward(
                output, _weights.FinalNorm.Span, _memory.ScoredFactor.AsSpan(0, scored), Of(_memory.DScored, scored, d), dOutput,
                GradientOf(baseGradient, _parameters.FinalNorm), _path);
            for (int i = 0; i < scored; i++) dOutput.Slice(i * d, d).CopyTo(residual[(batch.ScoredRows[i] * d)..]);
        }
        double sum = 0;
        foreach (T loss in losses) sum += double.CreateTruncating(loss);
        return sum;
    }

    private void AttentionForward(Batch batch, LayerActivations<T> m)
    {
        int q = _config.QueryWidth, kv = _config.KeyValueWidth, heads = _config.Heads;
        for (int sequence = 0; sequence < batch.Sequences; sequence++)
        {
            int start = batch.Start(sequence), length = batch.Start(sequence + 1) - start;
            Attention.Forward<T>(
                m.Q.AsSpan(start * q, length * q), m.K.AsSpan(start * kv, length * kv), m.V.AsSpan(start * kv, length * kv),
                m.Attended.AsSpan(start * q, length * q),
                m.LogSums.AsSpan(start * heads, length * heads), _memory.AttentionScratch, heads, _config.KeyValueHeads, _path);
        }
    }

    private void AttentionBackward(Batch batch, LayerActivations<T> m)
    {
        int q = _config.QueryWidth, kv = _config.KeyValueWidth, heads = _config.Heads;
        Of(_memory.DK, batch.Rows, kv).Clear();
        Of(_memory.DV, batch.Rows, kv).Clear();
        for (int sequence = 0; sequence < batch.Sequences; sequence++)
        {
            int start = batch.Start(sequence), length = batch.Start(sequence + 1) - start;
            Attention.Backward<T>(
                m.Q.AsSpan(start * q, length * q), m.K.AsSpan(start * kv, length * kv), m.V.AsSpan(start * kv, length * kv),
                m.Attended.AsSpan(start * q, length * q),
                m.LogSums.AsSpan(start * heads, length * heads), _memory.DAttended.AsSpan(start * q, length * q), _memory.DQ.AsSpan(start * q, length * q),
                _memory.DK.AsSpan(start * kv, length * kv), _memory.DV.AsSpan(start * kv, length * kv), _memory.AttentionScratch, heads, _config.KeyValueHeads,
                _path);
        }
    }

    private void ReserveTables(int positions)
    {
        if (positions <= _tablePositions) return;
        _tablePositions = (int)System.Numerics.BitOperations.RoundUpToPowerOf2((uint)positions);
        _cosines = new T[_tablePositions * (_config.HeadSize / 2)];
        _sines = new T[_cosines.Length];
        Rope.FillTables<T>(_cosines, _sines, _tablePositions, _config.HeadSize, _config.RopeTheta, _config.RopeScaling);
    }

    private Span<T> GradientOf(Span<T> baseGradient, int tensor)
        => baseGradient.IsEmpty ? [] : _parameters.Tensors[tensor].In(baseGradient);

    private static Span<T> Of(T[] memory, int rows, int width) => memory.AsSpan(0, rows * width);
}
