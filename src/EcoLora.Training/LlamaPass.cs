using System.Numerics;
using EcoLora.Numerics;

namespace EcoLora.Training;

/// <summary>
/// The forward and backward pass of a decoder over a batch, on one thread: h = x + o(attention(q, k, v of norm(x))); y = h + down(silu(gate)∘up of norm(h)).
/// Rows N are the batch's; D, F, H, d, V as in <see cref="LlamaConfig"/>. The same code computes in float for training and in double for the gradient checks.
/// </summary>
internal sealed partial class LlamaPass<T>
    where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    private readonly LlamaWeights<T> _weights;
    private readonly LlamaConfig _config;
    private readonly ParameterLayout _parameters;
    private readonly LoraPlan? _lora;
    private readonly SimdPath _path;
    private readonly Activations<T> _memory;
    private T[] _cosines = [], _sines = [];
    private int _tablePositions;

    /// <param name="weights">The base weights, read only; may be changed between calls.</param>
    /// <param name="lora">The adapter's shape, or null for none.</param>
    /// <param name="training">Whether the backward pass will run, which needs the memory of all layers.</param>
    /// <param name="path">Code path of every kernel.</param>
    public LlamaPass(LlamaWeights<T> weights, LoraPlan? lora, bool training, SimdPath path = SimdPath.Fastest)
    {
        (_weights, _config, _lora, _path) = (weights, weights.Config, lora, path);
        _parameters = ParameterLayout.Of(_config);
        _memory = new Activations<T>(_config, lora, training);
    }

    /// <summary>The loss of each scored row of the last batch.</summary>
    public ReadOnlySpan<T> Losses(Batch batch) => _memory.Losses.AsSpan(0, batch.Scored);

    /// <summary>The sum of −ln p over the scored rows, in row order. Dropout is off.</summary>
    public double Loss(Batch batch, ReadOnlySpan<T> adapter)
    {
        ForwardLayers(batch, adapter, dropout: null);
        return Head(batch, gradientScale: T.Zero, baseGradient: []);
    }

    /// <summary>
    /// As <see cref="Loss"/>, and adds the gradient of the mean loss of the scored rows to the given vectors.
    /// </summary>
    /// <param name="batch">At least one scored row.</param>
    /// <param name="adapter">The LoRA vector, or empty without LoRA.</param>
    /// <param name="adapterGradient">The LoRA vector's gradient, or empty for none.</param>
    /// <param name="baseGradient">The gradient of all base weights in the order of <see cref="ParameterLayout"/>, or empty for none.</param>
    /// <param name="dropout">The stream of the step's dropout masks; null turns dropout off.</param>
    public double LossAndGradient(Batch batch, ReadOnlySpan<T> adapter, Span<T> adapterGradient, Span<T> baseGradient, RandomStream? dropout)
    {
        ForwardLayers(batch, adapter, dropout);
        double loss = Head(batch, T.One / T.CreateTruncating(batch.Scored), baseGradient);
        BackwardLayers(batch, adapter, adapterGradient, baseGradient, dropout is not null);
        return loss;
    }

    private void ForwardLayers(Batch batch, ReadOnlySpan<T> adapter, RandomStream? dropout)
    {
        _lora?.Expect(adapter.Length);
        int rows = batch.Rows, d = _config.HiddenSize, f = _config.IntermediateSize, q = _config.QueryWidth, kv = _config.KeyValueWidth;
        _memory.Reserve(rows, batch.Scored, batch.LongestSequence);
        ReserveTables(batch.LongestSequence);
        Embedding.Forward(_weights.Embedding.Span, batch.Tokens, Of(_memory.Layers[0].Input, rows, d), d);
        for (int layer = 0; layer < _config.Layers; layer++)
        {
            LayerActivations<T> m = _memory.Layers[layer];
            LayerWeights<T> w = _weights.Layers[layer];
            Span<T> input = Of(m.Input, rows, d), normed = Of(m.AttentionNormed, rows, d), middle = Of(m.Middle, rows, d);
            RmsNorm.Forward(input, w.AttentionNorm.Span, normed, m.AttentionFactor.AsSpan(0, rows), _config.NormEpsilon, _path);
            LinearForward(layer, LinearKind.Query, normed, Of(m.Q, rows, q), adapter, dropout, accumulate: false);
            LinearForward(layer, LinearKind.Key, normed, Of(m.K, rows, kv), adapter, dropout, accumulate: false);
            LinearForward(layer, LinearKind.Value, normed, Of(m.V, rows, kv), adapter, dropout, accumulate: false);
            Rope.Forward(Of(m.Q, rows, q), batch.Positions, _cosines, _sines, _config.HeadSize, _path);
            Rope.Forward(Of(m.K, rows, kv), batch.Positions, _cosines, _sines, _config.HeadSize, _path);
            AttentionForward(batch, m);
            input.CopyTo(middle);
            LinearForward(layer, LinearKind.Output, Of(m.Attended, rows, q), middle, adapter, dropout, accumulate: true);

            normed = Of(m.FeedForwardNormed, rows, d);
            Span<T> gate = Of(m.Gate, rows, f), up = Of(m.Up, rows, f), gated = Of(m.Gated, rows, f);
            RmsNorm.Forward(middle, w.FeedForwardNorm.Span, normed, m.FeedForwardFactor.AsSpan(0, rows), _config.NormEpsilon, _path);
            LinearForward(layer, LinearKind.Gate, normed, gate, adapter, dropout, accumulate: false);
            LinearForward(layer, LinearKind.Up, normed, up, adapter, dropout, accumulate: false);
            SwiGlu.Forward(gate, up, gated, _path);
            Span<T> output = Of(layer + 1 < _config.Layers ? _memory.Layers[layer + 1].Input : _memory.Output, rows, d);
            middle.CopyTo(output);
            LinearForward(layer, LinearKind.Down, gated, output, adapter, dropout, accumulate: true);
        }
    }

    private void BackwardLayers(Batch batch, ReadOnlySpan<T> adapter, Span<T> adapterGradient, Span<T> baseGradient, bool dropout)
    {
        int rows = batch.Rows, d = _config.HiddenSize, f = _config.IntermediateSize, q = _config.QueryWidth, kv = _config.KeyValueWidth;
        Span<T> residual = Of(_memory.DResidual, rows, d), dNormed = Of(_memory.DNormed, rows, d);
        for (int layer = _config.Layers - 1; layer >= 0; layer--)
        {
            LayerActivations<T> m = _memory.Layers[layer];
            LayerWeights<T> w = _weights.Layers[layer];
            var step = new LinearStep(layer, rows, dropout);

            Span<T> dGated = Of(_memory.DGated, rows, f), gate = Of(m.Gate, rows, f), up = Of(m.Up, rows, f);
            LinearBackward(step, LinearKind.Down, Of(m.Gated, rows, f), residual, dGated, adapter, adapterGradient, baseGradient, accumulate: false);
            SwiGlu.Backward(gate, up, dGated, gate, up, _path);   // gate and up now hold their own gradients
            LinearBackward(step, LinearKind.Gate, Of(m.FeedForwardNormed, rows, d), gate, dNormed, adapter, adapterGradient, baseGradient, accumulate: false);
            LinearBackward(step, LinearKind.Up, Of(m.FeedForwardNormed, rows, d), up, dNormed, adapter, adapterGradient, baseGradient, accumulate: true);
            RmsNorm.Backward(
                Of(m.Middle, rows, d), w.FeedForwardNorm.Span, m.FeedForwardFactor.AsSpan(0, rows), dNormed, residual,
                GradientOf(baseGradient, ParameterLayout.FirstOfLayer(layer) + 5), _path);

            Span<T> dAttended = Of(_memory.DAttended, rows, q), dq = Of(_memory.DQ, rows, q), dk = Of(_memory.DK, rows, kv), dv = Of(_memory.DV, rows, kv);
            LinearBackward(step, LinearKind.Output, Of(m.Attended, rows, q), residual, dAttended, adapter, adapterGradient, baseGradient, accumulate: false);
            AttentionBackward(batch, m);
            Rope.Backward(dq, batch.Positions, _cosines, _sines, _config.HeadSize, _path);
            Rope.Backward(dk, batch.Positions, _cosines, _sines, _config.HeadSize, _path);
            // Below the first layer lies only the embedding: nothing needs its gradient while the base is frozen.
            Span<T> below = layer > 0 || !baseGradient.IsEmpty ? dNormed : [];
            LinearBackward(step, LinearKind.Query, Of(m.AttentionNormed, rows, d), dq, below, adapter, adapterGradient, baseGradient, accumulate: false);
            LinearBackward(step, LinearKind.Key, Of(m.AttentionNormed, rows, d), dk, below, adapter, adapterGradient, baseGradient, accumulate: true);
            LinearBackward(step, LinearKind.Value, Of(m.AttentionNormed, rows, d), dv, below, adapter, adapterGradient, baseGradient, accumulate: true);
            if (below.IsEmpty) return;
            RmsNorm.Backward(
                Of(m.Input, rows, d), w.AttentionNorm.Span, m.AttentionFactor.AsSpan(0, rows), dNormed, residual,
                GradientOf(baseGradient, ParameterLayout.FirstOfLayer(layer)), _path);
        }
        if (!baseGradient.IsEmpty) Embedding.Backward(residual, batch.Tokens, GradientOf(baseGradient, 0), d);
    }

    /// <summary>
    /// Norm, logits and loss of the scored rows only, <see cref="Activations{T}.HeadRows"/> rows of logits at a time. With a gradient scale it also leaves
    /// the gradient of the last layer's output in the residual gradient.
    /// </summary>
    private double Head(Batch batch, T gradientScale, Span<T> baseGradient)
    {
        int scored = batch.Scored, d = _config.HiddenSize, v = _config.Vocabulary, last = _parameters.Tensors.Count - 1;
        bool gradient = gradientScale != T.Zero;
        Span<T> output = Of(_memory.ScoredOutput, scored, d), normed = Of(_memory.ScoredNormed, scored, d), losses = _memory.Losses.AsSpan(0, scored);
        ReadOnlySpan<T> head = _weights.Head.Span;
        for (int i = 0; i < scored; i++) _memory.Output.AsSpan(batch.ScoredRows[i] * d, d).CopyTo(output[(i * d)..]);
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
            MatMul.InputGradient(logits, head, _memory.DScored.AsSpan(first * d, rows * d), rows, d, v, accumulate: false, _path);
            Span<T> headGradient = GradientOf(baseGradient, _config.TieEmbeddings ? 0 : last);
            if (!headGradient.IsEmpty) MatMul.WeightGradient(logits, x, headGradient, rows, d, v, accumulate: true, _path);
        }
        if (gradient)
        {
            Span<T> dOutput = Of(_memory.DScoredOutput, scored, d), residual = Of(_memory.DResidual, batch.Rows, d);
            dOutput.Clear();
            residual.Clear();
            RmsNorm.Backward(
                output, _weights.FinalNorm.Span, _memory.ScoredFactor.AsSpan(0, scored), Of(_memory.DScored, scored, d), dOutput,
                GradientOf(baseGradient, ParameterLayout.FirstOfLayer(_config.Layers)), _path);
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
        => baseGradient.IsEmpty ? [] : baseGradient.Slice(_parameters.Tensors[tensor].Offset, _parameters.Tensors[tensor].Length);

    private static Span<T> Of(T[] memory, int rows, int width) => memory.AsSpan(0, rows * width);
}
