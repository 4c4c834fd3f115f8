using EcoLora.Numerics;

namespace EcoLora.Training;

/// <summary>Chooses tokens by <see cref="SamplingOptions"/>. Not thread-safe.</summary>
internal sealed class TokenSampler(SamplingOptions options)
{
    private double[] _weights = [];
    private int[] _ids = [];

    /// <summary>The next token.</summary>
    /// <param name="logits">One per token. Where one is NaN or +∞, nothing can be drawn, and the choice is the greedy one.</param>
    /// <param name="random">Gives one number per token; not read when greedy.</param>
    public int Choose(ReadOnlySpan<float> logits, RandomStream random)
    {
        int likeliest = Largest(logits);
        if (options.IsGreedy) return likeliest;
        if (_ids.Length != logits.Length) (_ids, _weights) = (new int[logits.Length], new double[logits.Length]);
        for (int i = 0; i < _ids.Length; i++)
        {
            _ids[i] = i;
            _weights[i] = Math.Exp(((double)logits[i] - logits[likeliest]) / options.Temperature);
        }
        ReadOnlySpan<int> nucleus = _ids.AsSpan(0, options.TopP < 1 ? SortNucleus() : _ids.Length);
        double draw = random.NextDouble() * Sum(nucleus), below = 0;
        foreach (int id in nucleus)
        {
            below += _weights[id];
            if (draw < below) return id;
        }
        return likeliest;   // the sum is NaN, or the product above was rounded up to it
    }

    /// <summary>Puts the tokens in falling order, the lower id first on a tie, and returns the size of the nucleus.</summary>
    private int SortNucleus()
    {
        _ids.AsSpan().Sort((a, b) => _weights[b].CompareTo(_weights[a]) is var order and not 0 ? order : a.CompareTo(b));
        double enough = options.TopP * Sum(_ids), sum = 0;
        int size = 0;
        while (size < _ids.Length && sum < enough) sum += _weights[_ids[size++]];
        return size;
    }

    private double Sum(ReadOnlySpan<int> ids)
    {
        double sum = 0;
        foreach (int id in ids) sum += _weights[id];
        return sum;
    }

    private static int Largest(ReadOnlySpan<float> logits)
    {
        int best = 0;
        for (int i = 1; i < logits.Length; i++)
        {
            if (logits[i] > logits[best]) best = i;
        }
        return best;
    }
}
