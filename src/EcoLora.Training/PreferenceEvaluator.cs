namespace EcoLora.Training;

/// <summary>How far a model prefers the chosen answers of pairs, against its reference.</summary>
/// <param name="Loss">Mean of −ln σ(m) over the pairs, in nats; NaN without a pair or where a log-likelihood is not finite.</param>
/// <param name="LossStandardError">Its standard error, √(s²/n); NaN below two pairs.</param>
/// <param name="Accuracy">Pairs with r(y_w) &gt; r(y_l), so m &gt; 0; none where the model is the reference.</param>
/// <param name="Margin">Mean of m = r(y_w) − r(y_l).</param>
/// <param name="MarginStandardError">Its standard error.</param>
/// <param name="Tokens">Tokens of both answers of all pairs.</param>
public sealed record PreferenceScore(double Loss, double LossStandardError, Proportion Accuracy, double Margin, double MarginStandardError, long Tokens);

/// <summary>The score of pairs.</summary>
/// <param name="Overall">Over all pairs.</param>
/// <param name="ByCategory">Per category of the chosen examples, ordered by name (ordinal).</param>
public sealed record PreferenceResult(PreferenceScore Overall, IReadOnlyList<KeyValuePair<string, PreferenceScore>> ByCategory);

/// <summary>Measures <see cref="PreferenceLoss"/>, reward accuracy and reward margin of a model. The same bits for any number of threads.</summary>
public static class PreferenceEvaluator
{
    /// <summary>Scores a model; an adapter with <see cref="LlamaModel.WithAdapter"/>.</summary>
    /// <param name="model">The model.</param>
    /// <param name="pairs">The held-out pairs.</param>
    /// <param name="loss">With their references, which should be measured by <see cref="PreferencePair.LogRatios"/> too: then the reference itself has margins of exactly 0.</param>
    /// <param name="threads">Threads to use, at least 1.</param>
    /// <param name="onDone">Is told how many sequences more are measured, from any thread; or null.</param>
    /// <param name="cancellation">Honoured between groups of 16 sequences.</param>
    /// <exception cref="ArgumentException">The loss has other pairs, or an example is malformed.</exception>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    public static PreferenceResult Evaluate(
        IDecoder model, IReadOnlyList<PreferencePair> pairs, PreferenceLoss loss, int threads = 1, Action<int>? onDone = null,
        CancellationToken cancellation = default)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(threads, 1);
        if (loss.Pairs != pairs.Count) throw new ArgumentException($"loss: expected references of {pairs.Count} pairs, found {loss.Pairs}", nameof(loss));
        double[] margins = [.. PreferencePair.LogRatios(model, pairs, threads, onDone, cancellation).Select((ratio, pair) => loss.Margin(pair, ratio))];
        int[] all = [.. Enumerable.Range(0, pairs.Count)];
        return new PreferenceResult(
            Score(all),
            [.. all.GroupBy(i => pairs[i].Chosen.Category).OrderBy(group => group.Key, StringComparer.Ordinal).Select(group => KeyValuePair.Create(group.Key, Score([.. group])))]);

        PreferenceScore Score(int[] members)
        {
            (double meanLoss, double lossError) = Mean([.. members.Select(i => PreferenceLoss.Of(margins[i]))]);
            (double margin, double marginError) = Mean([.. members.Select(i => margins[i])]);
            return new PreferenceScore(
                meanLoss, lossError, Proportion.Of(members.Select(i => margins[i] > 0)), margin, marginError,
                members.Sum(i => (long)pairs[i].Chosen.AnswerTokens + pairs[i].Rejected.AnswerTokens));
        }
    }

    private static (double Mean, double StandardError) Mean(double[] values)
    {
        double n = values.Length, mean = values.Sum() / n;
        return (mean, n < 2 ? double.NaN : Math.Sqrt(values.Sum(value => (value - mean) * (value - mean)) / (n - 1) / n));
    }
}
