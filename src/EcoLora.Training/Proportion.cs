namespace EcoLora.Training;

/// <summary>How often something held in independent trials, such as answers that are right.</summary>
/// <param name="Successes">How often.</param>
/// <param name="Count">Trials.</param>
public readonly record struct Proportion(int Successes, int Count)
{
    /// <summary>p = successes/n, in [0, 1]; NaN without a trial.</summary>
    public double Value => Count == 0 ? double.NaN : (double)Successes / Count;

    /// <summary>
    /// √(p·(1 − p)/(n − 1)): the sample's standard deviation over √n, unbiased in its square. NaN below two trials. It is 0 where all trials agree, which
    /// then says nothing about the error.
    /// </summary>
    public double StandardError => Count < 2 ? double.NaN : Math.Sqrt(Value * (1 - Value) / (Count - 1));

    /// <summary>Counts what holds.</summary>
    public static Proportion Of(IEnumerable<bool> trials)
    {
        int successes = 0, count = 0;
        foreach (bool success in trials)
        {
            if (success) successes++;
            count++;
        }
        return new Proportion(successes, count);
    }
}
