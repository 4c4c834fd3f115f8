using EcoLora.Numerics;

namespace EcoLora.Training;

/// <summary>Trains all weights of a model, embeddings and norms included: pretraining, or full fine-tuning. On the calling thread.</summary>
public static class BaseTrainer
{
    /// <summary>Cuts a token sequence into windows for next-token training: each predicts all its tokens but the first; neighbours share one token.</summary>
    /// <param name="tokens">The corpus, documents separated by whatever token the caller put there.</param>
    /// <param name="window">Tokens that a window feeds to the model, at least 1; the last window may be shorter.</param>
    /// <exception cref="ArgumentOutOfRangeException">The window is below 1.</exception>
    public static IReadOnlyList<Example> Windows(ReadOnlySpan<int> tokens, int window)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(window, 1);
        var windows = new List<Example>();
        for (int start = 0; start + 1 < tokens.Length; start += window)
            windows.Add(new Example(tokens[start..Math.Min(tokens.Length, start + window + 1)].ToArray(), PromptLength: 1, Category: "", Answer: ""));
        return windows;
    }

    /// <summary>Trains a copy of the model's weights.</summary>
    /// <param name="model">The start; unchanged.</param>
    /// <param name="examples">At least one; see <see cref="Windows"/>.</param>
    /// <param name="options">How to train.</param>
    /// <param name="stream">The job's stream: order of the batches.</param>
    /// <param name="onStep">Called after each step, or null.</param>
    /// <param name="cancellation">Honoured between steps.</param>
    /// <returns>The trained model and what was done. Unless the job is completed, the model is the one before the failing step.</returns>
    /// <exception cref="ArgumentException">An option is out of its range, or an example is malformed or missing.</exception>
    /// <exception cref="OperationCanceledException">The job was cancelled.</exception>
    public static (LlamaModel Model, TrainingResult Result) Train(
        LlamaModel model, IReadOnlyList<Example> examples, TrainingOptions options, RandomStream stream, Action<TrainingStep>? onStep = null,
        CancellationToken cancellation = default)
    {
        float[] parameters = model.CopyParameters(), gradient = new float[parameters.Length];
        LlamaModel trained = LlamaModel.Of(model.Config, parameters);
        var grouped = new GroupedGradient<LlamaPass<float>>(
            gradient, model.Config.Vocabulary, threads: 1, ManagedBackend.GroupRows, () => new LlamaPass<float>(trained.Weights, lora: null, PassMemory.All));
        var objective = new Objective<LlamaPass<float>>(
            OfPairs: false, (pass, batch, divisor, sum, _, cancel) => pass.LossAndGradient(batch, divisor, [], [], sum, dropout: null, cancel));
        TrainingResult result = new TrainingLoop<LlamaPass<float>>(gradient, TrainedRange.Of(model.Layout), grouped)
            .Run(objective, parameters, examples, options, stream, dropout: false, onStep, cancellation);
        return (trained, result);
    }
}
