using EcoLora.Codec;
using EcoLora.Numerics;

namespace EcoLora.Training;

/// <summary>A part of the trained vector.</summary>
/// <param name="Offset">First entry.</param>
/// <param name="Length">Number of entries.</param>
/// <param name="Decays">Whether weight decay applies.</param>
internal readonly record struct TrainedRange(int Offset, int Length, bool Decays)
{
    /// <summary>The trained tensors of a LoRA vector: all, or only B.</summary>
    public static TrainedRange[] Of(LoraLayout layout, bool freezeA)
        => [.. layout.Tensors
            .Where(tensor => !freezeA || tensor.Role == LoraRole.B)
            .Select(tensor => new TrainedRange(tensor.Offset, tensor.Length, Decays: true))];

    /// <summary>All base weights.</summary>
    public static TrainedRange[] Of(ParameterLayout layout)
        => [.. layout.Tensors.Select(tensor => new TrainedRange((int)tensor.Offset, tensor.Length, Decays: !tensor.IsVector))];
}

/// <summary>The optimiser of a vector: gradient clipping by the global norm, then AdamW (<see cref="AdamStep"/>). A new job starts with zero moments.</summary>
internal sealed class AdamW
{
    private readonly float[] _firstMoment, _secondMoment;
    private readonly TrainedRange[] _ranges;
    private int _step;

    public AdamW(int length, TrainedRange[] ranges)
    {
        _firstMoment = new float[length];
        _secondMoment = new float[length];
        _ranges = ranges;
    }

    /// <summary>Forgets the moments and the step count.</summary>
    public void Reset()
    {
        _firstMoment.AsSpan().Clear();
        _secondMoment.AsSpan().Clear();
        _step = 0;
    }

    /// <summary>The global norm of the trained part of a gradient, √Σg², summed in double precision.</summary>
    public double Norm(ReadOnlySpan<float> gradient)
    {
        double sum = 0;
        foreach (TrainedRange range in _ranges) sum += VectorMath.SumOfSquares(gradient.Slice(range.Offset, range.Length));
        return Math.Sqrt(sum);
    }

    /// <summary>One update; the gradient is multiplied with min(1, clip/norm).</summary>
    public void Update(Span<float> weights, ReadOnlySpan<float> gradient, double norm, double learningRate, TrainingOptions options)
    {
        _step++;
        double scale = options.ClipNorm > 0 && norm > options.ClipNorm ? options.ClipNorm / norm : 1;
        foreach (TrainedRange range in _ranges)
        {
            var step = new AdamStep(learningRate, options.Beta1, options.Beta2, options.Epsilon, range.Decays ? options.WeightDecay : 0, scale, _step);
            step.Apply(
                weights.Slice(range.Offset, range.Length), gradient.Slice(range.Offset, range.Length),
                _firstMoment.AsSpan(range.Offset, range.Length), _secondMoment.AsSpan(range.Offset, range.Length));
        }
    }
}
