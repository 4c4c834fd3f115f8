namespace EcoLora.Training;

/// <summary>Two answers to one prompt: both sequences begin with the same prompt, x.</summary>
/// <param name="Chosen">The prompt with the preferred answer, y_w.</param>
/// <param name="Rejected">The prompt with the other one, y_l.</param>
public sealed record PreferencePair(Example Chosen, Example Rejected)
{
    /// <summary>The pairs' sequences: 2i is the chosen one of pair i, 2i + 1 the rejected one.</summary>
    internal static Example[] Sequences(IReadOnlyList<PreferencePair> pairs)
    {
        var sequences = new Example[2 * pairs.Count];
        for (int i = 0; i < pairs.Count; i++) (sequences[2 * i], sequences[2 * i + 1]) = (pairs[i].Chosen, pairs[i].Rejected);
        return sequences;
    }

    /// <summary>ln π(y_w|x) − ln π(y_l|x) of each pair, in nats, summed over the answers' tokens: what a reference knows of them.</summary>
    /// <param name="model">π; an adapter with <see cref="LlamaModel.WithAdapter"/>.</param>
    /// <param name="pairs">The pairs; may be empty.</param>
    /// <param name="threads">Threads to use, at least 1; no bit depends on them.</param>
    /// <param name="onDone">Is told how many sequences more are measured, from any thread; or null.</param>
    /// <param name="cancellation">Honoured between groups of 16 sequences.</param>
    /// <exception cref="ArgumentException">An example is malformed.</exception>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    public static double[] LogRatios(
        IDecoder model, IReadOnlyList<PreferencePair> pairs, int threads = 1, Action<int>? onDone = null, CancellationToken cancellation = default)
    {
        double[] losses = Evaluator.Losses(model, Sequences(pairs), threads, onDone, cancellation);
        return [.. pairs.Select((_, i) => losses[2 * i + 1] - losses[2 * i])];
    }
}
