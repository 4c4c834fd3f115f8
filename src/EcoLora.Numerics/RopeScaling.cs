namespace EcoLora.Numerics;

/// <summary>
/// How a model turns positions that are beyond those of its first training: the rotary frequencies f_i = θ^(−2i/d), i &lt; d/2, slowed down. Null stands for unscaled. As Hugging Face's
/// <c>rope_scaling</c> of config.json has it.
/// </summary>
public abstract record RopeScaling
{
    private RopeScaling()
    {
    }

    /// <summary>What becomes of a frequency, in radians per position.</summary>
    public abstract double Scale(double frequency);

    /// <summary>Position interpolation (Chen et al., 2023): every frequency is divided by the factor.</summary>
    /// <param name="Factor">At least 1.</param>
    public sealed record Linear(double Factor) : RopeScaling
    {
        /// <inheritdoc/>
        public override double Scale(double frequency) => frequency / Factor;
    }

    /// <summary>
    /// Llama 3.1's: with the wavelength λ = 2π/f and L positions of the first training, frequencies with λ &lt; L/high stay, those with λ &gt; L/low are divided by the factor, and between the
    /// two s = (L/λ − low) / (high − low) blends: (1 − s)·f/factor + s·f.
    /// </summary>
    /// <param name="Factor">At least 1.</param>
    /// <param name="Low"><c>low_freq_factor</c>, above 0.</param>
    /// <param name="High"><c>high_freq_factor</c>, above <paramref name="Low"/>.</param>
    /// <param name="OriginalPositions">L, <c>original_max_position_embeddings</c>.</param>
    public sealed record Llama3(double Factor, double Low, double High, int OriginalPositions) : RopeScaling
    {
        /// <inheritdoc/>
        public override double Scale(double frequency)
        {
            double turns = OriginalPositions * frequency / (2 * Math.PI);
            if (turns > High) return frequency;
            if (turns < Low) return frequency / Factor;
            double share = (turns - Low) / (High - Low);
            return (1 - share) * frequency / Factor + share * frequency;
        }
    }
}
