using EcoLora.Numerics;

namespace EcoLora.Training;

/// <content>A linear layer with its LoRA pair: y = x·Wᵀ + b + s·(x̃·Aᵀ)·Bᵀ, x̃ = dropout(x).</content>
internal sealed partial class LlamaPass<T>
{
    /// <summary>A step's masks with the batch that they are of.</summary>
    private readonly record struct BatchMasks(DropoutMasks Masks, Batch Batch);

    private BatchMasks? MasksOf(Batch batch, DropoutMasks? masks) => masks is not null && _lora?.Options.Dropout > 0 ? new BatchMasks(masks, batch) : null;

    /// <summary>What all linear layers of one layer's way back have in common.</summary>
    private readonly record struct LinearStep(int Layer, int Rows, bool Dropout);

    /// <param name="layer">The decoder layer.</param>
    /// <param name="kind">The linear layer in it.</param>
    /// <param name="x">[N, n].</param>
    /// <param name="y">[N, m], written or added to.</param>
    /// <param name="adapter">The LoRA vector.</param>
    /// <param name="masks">The step's masks, or null.</param>
    /// <param name="accumulate">Whether y is added to.</param>
    private void LinearForward(int layer, LinearKind kind, ReadOnlySpan<T> x, Span<T> y, ReadOnlySpan<T> adapter, BatchMasks? masks, bool accumulate)
    {
        (int outputs, int inputs) = _config.ShapeOf(kind);
        int rows = x.Length / inputs;
        MatMul.Forward(x, _weights.Layers[layer].Linear[(int)kind].Span, y, rows, inputs, outputs, accumulate, _path);
        ReadOnlySpan<T> bias = _weights.Layers[layer].Bias[(int)kind].Span;
        for (int row = 0; row < rows && !bias.IsEmpty; row++) VectorMath.Axpy(T.One, bias, y.Slice(row * outputs, outputs), _path);
        if (_lora?[layer, kind] is not { } pair) return;
        Span<T> hidden = LoraHidden(layer, kind, x, adapter, masks);
        MatMul.Forward(hidden, pair.B.In(adapter), y, rows, _lora.Options.Rank, outputs, accumulate: true, _path);
    }

    /// <summary>h = s·x̃·Aᵀ [N, r] of a layer that carries a pair, kept with the mask for the backward pass.</summary>
    private Span<T> LoraHidden(int layer, LinearKind kind, ReadOnlySpan<T> x, ReadOnlySpan<T> adapter, BatchMasks? masks)
    {
        LayerActivations<T> m = _memory.Layers[layer];
        int inputs = _config.ShapeOf(kind).Inputs, rows = x.Length / inputs, rank = _lora!.Options.Rank;
        if (masks is { } drawn)
        {
            drawn.Masks.Draw(m.Kept[(int)kind].AsSpan(0, x.Length), drawn.Batch, layer, kind, inputs, _lora.Options.Dropout);
            x = Masked(x, m.Kept[(int)kind]);
        }
        Span<T> hidden = Of(m.LoraHidden[(int)kind], rows, rank);
        MatMul.Forward(x, _lora[layer, kind]!.A.In(adapter), hidden, rows, inputs, rank, accumulate: false, _path);
        VectorMath.Scale(T.CreateTruncating(_lora.Options.Scale), hidden, _path);
        return hidden;
    }

    /// <summary>
    /// With h = s·x̃·Aᵀ kept from the forward pass: dW += dyᵀ·x; db += Σ over rows of dy; dB += dyᵀ·h; dh = s·dy·B; dA += dhᵀ·x̃; dx (+)= dy·W + dropout′(dh·A).
    /// </summary>
    /// <param name="step">Layer, rows and whether dropout was on.</param>
    /// <param name="kind">The linear layer.</param>
    /// <param name="x">[N, n], the forward pass's input.</param>
    /// <param name="dy">[N, m].</param>
    /// <param name="dx">[N, n], written or added to; empty when nobody needs it.</param>
    /// <param name="adapter">The LoRA vector.</param>
    /// <param name="adapterGradient">Its gradient, added to; empty for none.</param>
    /// <param name="baseGradient">The base weights' gradient, added to; empty for none.</param>
    /// <param name="accumulate">Whether dx is added to.</param>
    private void LinearBackward(
        LinearStep step, LinearKind kind, ReadOnlySpan<T> x, ReadOnlySpan<T> dy, Span<T> dx, ReadOnlySpan<T> adapter, Span<T> adapterGradient,
        Span<T> baseGradient, bool accumulate)
    {
        (int outputs, int inputs) = _config.ShapeOf(kind);
        int rows = step.Rows;
        Span<T> weightGradient = GradientOf(baseGradient, _parameters.WeightOf(step.Layer, kind));
        Span<T> biasGradient = _parameters.BiasOf(step.Layer, kind) is { } bias ? GradientOf(baseGradient, bias) : [];
        for (int row = 0; row < rows && !biasGradient.IsEmpty; row++) VectorMath.Axpy(T.One, dy.Slice(row * outputs, outputs), biasGradient, _path);
        if (!weightGradient.IsEmpty) MatMul.WeightGradient(dy, x, weightGradient, rows, inputs, outputs, accumulate: true, _path);
        if (!dx.IsEmpty) MatMul.InputGradient(dy, _weights.Layers[step.Layer].Linear[(int)kind].Span, dx, rows, inputs, outputs, accumulate, _path);
        if (_lora?[step.Layer, kind] is not { } pair) return;

        LayerActivations<T> m = _memory.Layers[step.Layer];
        int rank = _lora.Options.Rank;
        bool dropout = step.Dropout && _lora.Options.Dropout > 0, gradientOfA = !adapterGradient.IsEmpty && !_lora.Options.FreezeA;
        Span<T> hidden = Of(m.LoraHidden[(int)kind], rows, rank);
        if (!adapterGradient.IsEmpty) MatMul.WeightGradient(dy, hidden, pair.B.In(adapterGradient), rows, rank, outputs, accumulate: true, _path);
        if (!gradientOfA && dx.IsEmpty) return;

        Span<T> dHidden = Of(_memory.DHidden, rows, rank);
        MatMul.InputGradient(dy, pair.B.In(adapter), dHidden, rows, rank, outputs, accumulate: false, _path);
        VectorMath.Scale(T.CreateTruncating(_lora.Options.Scale), dHidden, _path);
        if (gradientOfA)
        {
            ReadOnlySpan<T> seen = dropout ? Masked(x, m.Kept[(int)kind]) : x;
            MatMul.WeightGradient(dHidden, seen, pair.A.In(adapterGradient), rows, inputs, rank, accumulate: true, _path);
        }
        if (dx.IsEmpty) return;
        if (!dropout)
        {
            MatMul.InputGradient(dHidden, pair.A.In(adapter), dx, rows, inputs, rank, accumulate: true, _path);
            return;
        }
        Span<T> dDropped = Of(_memory.DDropped, rows, inputs);
        MatMul.InputGradient(dHidden, pair.A.In(adapter), dDropped, rows, inputs, rank, accumulate: false, _path);
        Dropout.AddMasked(dDropped, m.Kept[(int)kind].AsSpan(0, dDropped.Length), _lora.Options.Dropout, dx);
    }

    private Span<T> Masked(ReadOnlySpan<T> x, byte[] kept)
    {
        Span<T> dropped = _memory.Dropped.AsSpan(0, x.Length);
        dropped.Clear();
        Dropout.AddMasked(x, kept.AsSpan(0, x.Length), _lora!.Options.Dropout, dropped);
        return dropped;
    }
}
