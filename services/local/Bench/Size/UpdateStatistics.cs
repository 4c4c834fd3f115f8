using EcoLora.Codec;
using EcoLora.Formats.Safetensors;
using EcoLora.Local.Runs;
using EcoLora.Numerics;

namespace EcoLora.Local.Bench;

/// <summary>
/// How the entries of one role were distributed in a span of rounds of a real run: magnitudes within a tensor, over its root mean square; and root mean squares
/// of tensors, over the role's.
/// </summary>
/// <param name="Gini">Of all magnitudes of the role.</param>
/// <param name="Kurtosis">Fourth moment over the squared second, of all entries of the role; 3 for a Gaussian.</param>
/// <param name="RootMeanSquare">Of all entries of the role.</param>
/// <param name="Magnitudes">[1025] quantiles.</param>
/// <param name="Scales">[tensors], ascending.</param>
internal sealed record RoleStatistics(double Gini, double Kurtosis, double RootMeanSquare, float[] Magnitudes, double[] Scales)
{
    private const int Intervals = 1024;

    /// <summary>The least entries of a piece whose scale says something.</summary>
    private const int LeastEntries = 64;

    /// <summary>Measures pieces of tensors.</summary>
    /// <param name="pieces">Values by tensor; a tensor may have several pieces.</param>
    public static RoleStatistics Of(IReadOnlyList<(string Tensor, float[] Values)> pieces)
    {
        float[] all = [.. pieces.SelectMany(piece => piece.Values)];
        double rms = Rms(all);
        (string Tensor, float[] Values)[] whole = [.. pieces.Where(piece => piece.Values.Length >= LeastEntries && Rms(piece.Values) > 0)];
        if (whole.Length == 0) throw new FormatException($"updates: expected tensors of {LeastEntries} entries and more that are not zero, found none");
        float[] magnitudes = [.. whole.SelectMany(piece => Normalised(piece.Values))];
        Array.Sort(magnitudes);
        float[] quantiles = new float[Intervals + 1];
        for (int i = 0; i < quantiles.Length; i++) quantiles[i] = magnitudes[(int)((long)i * (magnitudes.Length - 1) / Intervals)];
        double[] scales = [.. whole.GroupBy(piece => piece.Tensor).Select(tensor => Rms([.. tensor.SelectMany(piece => piece.Values)]) / rms).Order()];
        return new RoleStatistics(GiniOf(all), KurtosisOf(all), rms, quantiles, scales);
    }

    /// <summary>Draws entries of a tensor.</summary>
    /// <param name="rank">Where the tensor's scale lies among all, in [0, 1).</param>
    /// <param name="values">Receives them, signs by chance.</param>
    /// <param name="random">Gives one number per entry: sign, interval, and place in it.</param>
    public void Draw(double rank, Span<float> values, RandomStream random)
    {
        double at = rank * (Scales.Length - 1);
        int below = (int)at, above = Math.Min(below + 1, Scales.Length - 1);
        float scale = (float)(RootMeanSquare * (Scales[below] + ((at - below) * (Scales[above] - Scales[below]))));
        foreach (ref float value in values)
        {
            ulong bits = random.NextUInt64();
            int interval = (int)(bits & (Intervals - 1));
            float part = (bits >> 40) * (1f / (1 << 24)), magnitude = Magnitudes[interval] + (part * (Magnitudes[interval + 1] - Magnitudes[interval]));
            value = scale * ((bits & Intervals) == 0 ? magnitude : -magnitude);
        }
    }

    /// <summary>Gini coefficient of magnitudes: 2·Σ i·x_i/(n·Σ x_i) − (n + 1)/n over the ascending ones, i from 1.</summary>
    public static double GiniOf(ReadOnlySpan<float> values)
    {
        float[] sorted = new float[values.Length];
        for (int i = 0; i < sorted.Length; i++) sorted[i] = MathF.Abs(values[i]);
        Array.Sort(sorted);
        double sum = 0, weighted = 0, n = sorted.Length;
        for (int i = 0; i < sorted.Length; i++)
        {
            sum += sorted[i];
            weighted += (i + 1.0) * sorted[i];
        }
        return (2 * weighted / (n * sum)) - ((n + 1) / n);
    }

    /// <summary>Fourth moment over the squared second; 3 for a Gaussian.</summary>
    public static double KurtosisOf(ReadOnlySpan<float> values)
    {
        double second = 0, fourth = 0;
        foreach (float value in values)
        {
            double square = (double)value * value;
            second += square;
            fourth += square * square;
        }
        return values.Length * fourth / (second * second);
    }

    private static double Rms(float[] values) => Math.Sqrt(values.Sum(value => (double)value * value) / values.Length);

    private static IEnumerable<float> Normalised(float[] values)
    {
        double rms = Rms(values);
        return values.Select(value => (float)(Math.Abs(value) / rms));
    }
}

/// <summary>What <c>ecolora run --keep-updates</c> left, measured by role in spans of rounds.</summary>
/// <param name="RoundsPerSpan">Rounds that are measured together.</param>
/// <param name="Spans">A and B of each span.</param>
internal sealed record UpdateStatistics(int RoundsPerSpan, IReadOnlyList<(RoleStatistics A, RoleStatistics B)> Spans)
{
    private const int UsualSpan = 5;

    /// <summary>The statistics of a role in a round; the last span's for later rounds.</summary>
    public RoleStatistics At(int round, LoraRole role)
    {
        (RoleStatistics a, RoleStatistics b) = Spans[Math.Min(round / RoundsPerSpan, Spans.Count - 1)];
        return role == LoraRole.A ? a : b;
    }

    /// <summary>Measures a folder.</summary>
    /// <exception cref="FormatException">No such files, or one that is not as <see cref="KeptUpdate"/> writes them.</exception>
    public static UpdateStatistics Read(string folder)
    {
        string[] files = Directory.Exists(folder) ? [.. Directory.GetFiles(folder, "*" + KeptUpdate.Extension).Order(StringComparer.Ordinal)] : [];
        if (files.Length == 0) throw new FormatException($"{folder}: expected {KeptUpdate.Extension} files of run --keep-updates, found none");
        var spans = files.GroupBy(file => RoundOf(file) / UsualSpan).OrderBy(span => span.Key).ToList();
        return new UpdateStatistics(UsualSpan, [.. spans.Select(span => Measure([.. span.SelectMany(Pieces)]))]);
    }

    private static (RoleStatistics A, RoleStatistics B) Measure(List<(string Tensor, float[] Values)> pieces)
    {
        ILookup<bool, (string, float[])> byRole = pieces.ToLookup(piece => piece.Tensor.Contains(".lora_B.", StringComparison.Ordinal));
        return (RoleStatistics.Of([.. byRole[false]]), RoleStatistics.Of([.. byRole[true]]));
    }

    private static int RoundOf(string file)
    {
        using SafetensorsFile kept = SafetensorsFile.Open(file);
        return kept.Metadata.TryGetValue("round", out string? text) && int.TryParse(text, out int round) && round >= 0
            ? round : throw new FormatException($"{file}: metadata 'round': expected a round, found '{text}'");
    }

    private static IEnumerable<(string Tensor, float[] Values)> Pieces(string file)
    {
        using SafetensorsFile kept = SafetensorsFile.Open(file);
        foreach (TensorEntry entry in kept.Tensors)
        {
            float[] values = new float[entry.Shape.Aggregate(1L, (product, dimension) => product * dimension)];
            kept.Read(entry.Name, values);
            if (values.FirstOrDefault(value => !float.IsFinite(value)) is not 0 and float fault) throw new FormatException($"{file}: {entry.Name}: expected finite numbers, found {fault}");
            yield return (entry.Name, values);
        }
    }
}
