using System.Collections.Concurrent;

namespace EcoLora.Training;

/// <summary>The loss over a group of examples.</summary>
/// <param name="MeanLoss">Σ −ln p per answer token, in nats; NaN when there is no token or a loss is not finite.</param>
/// <param name="Tokens">Answer tokens.</param>
/// <param name="Examples">Number of examples.</param>
/// <param name="StandardError">The standard error of <paramref name="MeanLoss"/>, in nats; NaN below two examples. Tokens of one example are not
/// independent, so the examples are what was sampled: for n examples of summed loss Lᵢ and Nᵢ tokens, the mean is the ratio μ = ΣLᵢ/ΣNᵢ, and its error that
/// of a ratio estimator, √(n/(n − 1)·Σ(Lᵢ − μ·Nᵢ)²)/ΣNᵢ (Cochran, Sampling Techniques, 1977, chapter 6).</param>
public sealed record LossScore(double MeanLoss, long Tokens, int Examples, double StandardError)
{
    /// <summary>exp(mean loss): as unsure as between so many tokens of equal probability.</summary>
    public double Perplexity => Math.Exp(MeanLoss);
}

/// <summary>The loss over held-out examples.</summary>
/// <param name="Overall">Over all examples, weighted by tokens.</param>
/// <param name="ByCategory">Per category, ordered by name (ordinal).</param>
public sealed record EvaluationResult(LossScore Overall, IReadOnlyList<KeyValuePair<string, LossScore>> ByCategory);

/// <summary>
/// Measures the loss of a model; evaluate an adapter with <see cref="LlamaModel.WithAdapter"/>. The examples are cut into fixed groups of 16 neighbours,
/// which may run on several threads; the sums run in the order of the examples. So the result has the same bits for any number of threads.
/// </summary>
public static class Evaluator
{
    private const int Group = 16;

    /// <summary>The mean negative log-likelihood per answer token.</summary>
    /// <param name="model">The model.</param>
    /// <param name="examples">The held-out examples; may be empty.</param>
    /// <param name="threads">Threads to use, at least 1.</param>
    /// <param name="onDone">Is told how many examples more are measured, from any thread; or null.</param>
    /// <param name="cancellation">Honoured between groups.</param>
    /// <exception cref="ArgumentException">An example is malformed.</exception>
    /// <exception cref="ArgumentOutOfRangeException">Threads is below 1.</exception>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    public static EvaluationResult Evaluate(
        IDecoder model, IReadOnlyList<Example> examples, int threads = 1, Action<int>? onDone = null, CancellationToken cancellation = default)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(threads, 1);
        double[] losses = Losses(model, examples, threads, onDone, cancellation);
        var categories = new SortedDictionary<string, List<int>>(StringComparer.Ordinal);
        for (int i = 0; i < examples.Count; i++)
        {
            if (!categories.TryGetValue(examples[i].Category, out List<int>? members)) categories.Add(examples[i].Category, members = []);
            members.Add(i);
        }
        return new EvaluationResult(
            Score([.. Enumerable.Range(0, examples.Count)]),
            [.. categories.Select(category => KeyValuePair.Create(category.Key, Score(category.Value)))]);

        LossScore Score(List<int> members)
        {
            double sum = 0, squares = 0;
            long tokens = 0;
            foreach (int i in members)
            {
                sum += losses[i];
                tokens += examples[i].AnswerTokens;
            }
            double mean = tokens == 0 ? double.NaN : sum / tokens;
            foreach (int i in members) squares += Square(losses[i] - mean * examples[i].AnswerTokens);
            double n = members.Count;
            return new LossScore(mean, tokens, members.Count, n < 2 ? double.NaN : Math.Sqrt(n / (n - 1) * squares) / tokens);
        }

        static double Square(double x) => x * x;
    }

    /// <summary>The summed loss of each example.</summary>
    internal static double[] Losses(IDecoder model, IReadOnlyList<Example> examples, int threads, Action<int>? onDone, CancellationToken cancellation)
    {
        double[] losses = new double[examples.Count];
        var idle = new ConcurrentBag<(IModelPass<float> Pass, Batch Batch)>();
        WorkGroups.Run(examples.Count, Group, threads, chosen =>
        {
            if (!idle.TryTake(out (IModelPass<float> Pass, Batch Batch) worker))
                worker = (model.NewPass(), new Batch());
            worker.Batch.Fill(examples, chosen, model.Config.Vocabulary);
            worker.Pass.Loss(worker.Batch, []);
            ReadOnlySpan<float> rows = worker.Pass.Losses(worker.Batch);
            foreach (int i in chosen)
            {
                double sum = 0;
                foreach (float loss in rows[..examples[i].AnswerTokens]) sum += loss;
                rows = rows[examples[i].AnswerTokens..];
                losses[i] = sum;
            }
            idle.Add(worker);
        }, onDone, cancellation);
        return losses;
    }
}
