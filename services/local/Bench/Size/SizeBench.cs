using EcoLora.Codec;
using EcoLora.Federation;
using EcoLora.Telemetry;

namespace EcoLora.Local.Bench;

/// <summary>Real and drawn updates of one role, in the last span of rounds.</summary>
/// <param name="Model">The model that was drawn for.</param>
/// <param name="Role">A or B.</param>
/// <param name="RealGini">Of the real ones' magnitudes.</param>
/// <param name="DrawnGini">Of the drawn ones'.</param>
/// <param name="RealKurtosis">Of the real ones.</param>
/// <param name="DrawnKurtosis">Of the drawn ones.</param>
internal sealed record SizeMatch(string Model, LoraRole Role, double RealGini, double DrawnGini, double RealKurtosis, double DrawnKurtosis);

/// <summary>Runs at the paper's sizes, and what they sent.</summary>
internal static class SizeBench
{
    /// <summary>A run per model and method; each gives a row per coding, and two dense ones.</summary>
    public static (IReadOnlyList<SizeRow> Rows, IReadOnlyList<SizeMatch> Matches) Run(
        IEnumerable<SizeModel> models, IReadOnlyList<FederatedMethod> methods, SizePlan plan, TextWriter progress, CancellationToken cancellation)
    {
        var rows = new List<SizeRow>();
        var matches = new List<SizeMatch>();
        foreach (SizeModel model in models)
            foreach (FederatedMethod method in methods)
            {
                var run = new SizeRun(model, method, plan);
                IReadOnlyList<LedgerRow> ledger = run.Run(
                    round => progress.WriteLine($"{model.Name}, {method.Name}: round {round + 1}/{plan.Losses.Count}"), cancellation);
                rows.AddRange(Rows(model.Name, method.Name, plan.Losses.Count, LedgerTotals.Of(ledger).All));
                foreach ((LoraRole role, (double gini, double kurtosis)) in run.LastDrawn)
                {
                    RoleStatistics real = plan.Statistics.At(plan.Losses.Count - 1, role);
                    matches.Add(new SizeMatch($"{model.Name}, {method.Name}", role, real.Gini, gini, real.Kurtosis, kurtosis));
                }
            }
        return (rows, matches);
    }

    /// <summary>The dense exchanges from the ledger's columns, then ours in the paper's coding and in our own.</summary>
    internal static IEnumerable<SizeRow> Rows(string model, string method, int rounds, DirectionBytes totals)
    {
        StageBytes up = totals.Up, down = totals.Down;
        long upAll = up.DenseFp16 / 2, downAll = down.DenseFp16 / 2, upSent = up.KeptA + up.KeptB, downSent = down.KeptA + down.KeptB;
        yield return new(model, $"{method}, dense FP32", rounds, upAll, downAll, up.DenseFp32, down.DenseFp32, "computed");
        yield return new(model, $"{method}, dense FP16", rounds, upAll, downAll, up.DenseFp16, down.DenseFp16, "computed");
        yield return new(model, $"{method} + ecolora, paper's coding", rounds, upSent, downSent, AsGolomb(up), AsGolomb(down), Reduction(AsGolomb(up) + AsGolomb(down)));
        yield return new(model, $"{method} + ecolora", rounds, upSent, downSent, up.Framed, down.Framed, Reduction(up.Framed + down.Framed));

        string Reduction(long bytes) => $"{Quantity.Ratio((double)(up.DenseFp16 + down.DenseFp16) / bytes)} of FP16, {Quantity.Ratio((double)(up.DenseFp32 + down.DenseFp32) / bytes)} of FP32";
    }

    /// <summary>Frames, had their payloads been coded as the paper does.</summary>
    private static long AsGolomb(StageBytes bytes) => bytes.Framed - bytes.Coded + bytes.Golomb;
}
