using System.Collections.Concurrent;
using EcoLora.Numerics;

namespace EcoLora.Training;

/// <summary>
/// Generation with cached keys and values: each step takes the token with the largest logit, or draws one by <see cref="SamplingOptions"/>. Generate with an
/// adapter by <see cref="LlamaModel.WithAdapter"/>.
/// </summary>
public static class Generator
{
    /// <summary>Most prompts that go through the model together.</summary>
    private const int LargestGroup = 32;

    /// <summary>Entries of cached keys and values that one group may hold: 256 MiB each.</summary>
    private const long CacheEntries = 1L << 26;

    /// <summary>Continues one prompt.</summary>
    /// <param name="model">The model.</param>
    /// <param name="prompt">At least one token.</param>
    /// <param name="maxNewTokens">Most tokens to generate, at least 0.</param>
    /// <param name="stopTokens">Tokens that end the answer; the one that did is not returned.</param>
    /// <param name="sampling">How tokens are chosen; null for greedy. The prompt's number is 0.</param>
    /// <param name="onToken">Is told each new token, or null.</param>
    /// <param name="cancellation">Honoured between tokens.</param>
    /// <returns>The new tokens.</returns>
    /// <exception cref="ArgumentException">The prompt is empty or holds a token outside the vocabulary.</exception>
    /// <exception cref="ArgumentOutOfRangeException">A number is out of its range.</exception>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    public static int[] Generate(
        IDecoder model, int[] prompt, int maxNewTokens, IReadOnlyCollection<int> stopTokens, SamplingOptions? sampling = null, Action<int>? onToken = null,
        CancellationToken cancellation = default)
        => GenerateAll(model, [prompt], maxNewTokens, stopTokens, sampling, threads: 1, onToken, onDone: null, cancellation)[0];

    /// <summary>
    /// Continues many prompts, in groups of up to 32 neighbours that go through the model together (fewer where their cached keys and values would need more
    /// than 512 MiB). The groups, and so the answers, do not depend on the number of threads. A prompt alone and in a group may differ where two logits (or,
    /// sampling, a draw and a bound between two tokens) agree to rounding.
    /// </summary>
    /// <param name="model">The model.</param>
    /// <param name="prompts">Each at least one token.</param>
    /// <param name="maxNewTokens">Most tokens to generate per prompt, at least 0.</param>
    /// <param name="stopTokens">Tokens that end an answer; the one that did is not returned.</param>
    /// <param name="sampling">How tokens are chosen; null for greedy.</param>
    /// <param name="threads">Threads to use, at least 1.</param>
    /// <param name="onDone">Is told how many prompts more are answered, from any thread; or null.</param>
    /// <param name="cancellation">Honoured between tokens.</param>
    /// <returns>The new tokens of each prompt, in the order of the prompts.</returns>
    /// <exception cref="ArgumentException">A prompt is empty or holds a token outside the vocabulary.</exception>
    /// <exception cref="ArgumentOutOfRangeException">A number is out of its range.</exception>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    public static int[][] GenerateAll(
        IDecoder model, IReadOnlyList<int[]> prompts, int maxNewTokens, IReadOnlyCollection<int> stopTokens, SamplingOptions? sampling = null, int threads = 1,
        Action<int>? onDone = null, CancellationToken cancellation = default)
        => GenerateAll(model, prompts, maxNewTokens, stopTokens, sampling, threads, onToken: null, onDone, cancellation);

    private static int[][] GenerateAll(
        IDecoder model, IReadOnlyList<int[]> prompts, int maxNewTokens, IReadOnlyCollection<int> stopTokens, SamplingOptions? sampling, int threads,
        Action<int>? onToken, Action<int>? onDone, CancellationToken cancellation)
    {
        sampling ??= SamplingOptions.Greedy;
        sampling.Validate();
        ArgumentOutOfRangeException.ThrowIfNegative(maxNewTokens);
        ArgumentOutOfRangeException.ThrowIfLessThan(threads, 1);
        int[][] answers = new int[prompts.Count][];
        for (int i = 0; i < prompts.Count; i++)
        {
            if (prompts[i].Length == 0) throw new ArgumentException($"prompt {i}: expected at least one token, found none", nameof(prompts));
            foreach (int token in prompts[i])
                if ((uint)token >= (uint)model.Config.Vocabulary)
                    throw new ArgumentException($"prompt {i}: expected tokens from 0 to {model.Config.Vocabulary - 1}, found {token}", nameof(prompts));
        }
        if (prompts.Count == 0) return answers;
        long perPrompt = (long)model.Config.Layers * model.Config.KeyValueWidth * (prompts.Max(prompt => prompt.Length) + (long)maxNewTokens);
        if (perPrompt > Array.MaxLength)
            throw new ArgumentOutOfRangeException(nameof(maxNewTokens), maxNewTokens, "the cached keys of one prompt would exceed an array");
        var idle = new ConcurrentBag<ICachedPass>();
        try
        {
            WorkGroups.Run(prompts.Count, (int)Math.Clamp(CacheEntries / perPrompt, 1, LargestGroup), threads, Answered, onDone, cancellation);
            return answers;
        }
        finally
        {
            foreach (ICachedPass pass in idle) pass.Dispose();
        }

        void Answered(int[] chosen)
        {
            if (!idle.TryTake(out ICachedPass? pass)) pass = model.NewCachedPass();
            try
            {
                Answer(pass, prompts, chosen, maxNewTokens, stopTokens, sampling, answers, onToken, cancellation);
            }
            finally
            {
                idle.Add(pass);
            }
        }
    }

    private static void Answer(
        ICachedPass pass, IReadOnlyList<int[]> prompts, int[] chosen, int maxNewTokens, IReadOnlyCollection<int> stopTokens, SamplingOptions sampling,
        int[][] answers, Action<int>? onToken, CancellationToken cancellation)
    {
        var sampler = new TokenSampler(sampling);
        RandomStream[] streams = [.. chosen.Select(i => new RandomStream(sampling.Seed, "generation", i))];
        var generated = new List<int>[chosen.Length];
        pass.Start(chosen.Max(i => prompts[i].Length) + maxNewTokens, chosen.Length);
        for (int slot = 0; slot < chosen.Length; slot++)
        {
            generated[slot] = [];
            if (maxNewTokens > 0) pass.Append(slot, prompts[chosen[slot]]);
        }
        while (pass.Pending > 0)
        {
            cancellation.ThrowIfCancellationRequested();
            IReadOnlyList<int> slots = pass.Step();
            int vocabulary = pass.Logits.Length / slots.Count;
            for (int row = 0; row < slots.Count; row++)
            {
                int slot = slots[row], token = sampler.Choose(pass.Logits.Slice(row * vocabulary, vocabulary), streams[slot]);
                if (stopTokens.Contains(token)) continue;
                generated[slot].Add(token);
                onToken?.Invoke(token);
                if (generated[slot].Count < maxNewTokens) pass.Append(slot, [token]);
            }
        }
        for (int slot = 0; slot < chosen.Length; slot++) answers[chosen[slot]] = [.. generated[slot]];
    }
}
