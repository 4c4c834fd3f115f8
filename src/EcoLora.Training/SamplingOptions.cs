namespace EcoLora.Training;

/// <summary>How the next token is chosen from its logits z.</summary>
/// <param name="Temperature">T ≥ 0: p = softmax(z/T), by temperature first and the nucleus of that. 0 takes the largest logit (greedy), the lowest id on a
/// tie.</param>
/// <param name="TopP">P in (0, 1]: only the fewest most likely tokens whose probabilities reach P together can be drawn, in proportion to p (nucleus
/// sampling: Holtzman et al., 2020). 1 keeps all.</param>
/// <param name="Seed">Seed of the streams <c>generation/i</c>, one per prompt i, so that a prompt's draws do not depend on its neighbours or on threads.</param>
public sealed record SamplingOptions(double Temperature = 0, double TopP = 1, ulong Seed = 1)
{
    /// <summary>The largest logit, always.</summary>
    public static SamplingOptions Greedy { get; } = new();

    /// <summary>Whether nothing is drawn.</summary>
    public bool IsGreedy => Temperature == 0;

    /// <summary>Refuses numbers outside their range.</summary>
    /// <exception cref="ArgumentOutOfRangeException">One is.</exception>
    public void Validate()
    {
        if (!(Temperature >= 0 && double.IsFinite(Temperature)))
            throw new ArgumentOutOfRangeException(nameof(Temperature), Temperature, "the temperature must be a finite number of at least 0");
        if (!(TopP > 0 && TopP <= 1)) throw new ArgumentOutOfRangeException(nameof(TopP), TopP, "top-p must be in (0, 1]");
    }
}
