namespace EcoLora.Federation;

/// <summary>Eq. 4: the fraction of entries that are kept falls as the loss falls.</summary>
public static class AdaptiveDensity
{
    /// <summary>
    /// k^t = k_min + (k_max − k_min)·exp(−γ·(L_0 − L_{t−1})), clamped to [k_min, k_max]; k_max where the losses are too large for a number to come
    /// out.
    /// </summary>
    /// <param name="kMin">Lower limit, in (0, k_max].</param>
    /// <param name="kMax">Upper limit, in (0, 1].</param>
    /// <param name="gamma">γ, per unit of loss.</param>
    /// <param name="firstLoss">L_0, the first round's loss; null before there is one, which gives k_max.</param>
    /// <param name="previousLoss">L_{t−1}; null before there is one.</param>
    public static double Fraction(double kMin, double kMax, double gamma, double? firstLoss, double? previousLoss)
    {
        if (firstLoss is not { } first || previousLoss is not { } previous) return kMax;
        double fraction = kMin + (kMax - kMin) * Math.Exp(-gamma * (first - previous));
        return double.IsNaN(fraction) ? kMax : Math.Clamp(fraction, kMin, kMax);
    }
}
