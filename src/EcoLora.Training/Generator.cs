using System.Collections.Concurrent;

namespace EcoLora.Training;

/// <summary>
/// Greedy generation with cached keys and values: each step takes the token with the largest logit, the lowest id on a tie. Generate with an adapter by
/// <see cref="LlamaModel.WithAdapter"/>.
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
    /// <param name="onToken">Is told each new token, or null.</param>
    /// <param name="cancellation">Honoured between tokens.</param>
    /// <returns>The new tokens.</returns>
    /// <exception cref="ArgumentException">The prompt is empty or holds a token outside the vocabulary.</exception>
    /// <exception cref="ArgumentOutOfRangeException">A number is out of its range.</exception>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    public static int[] Generate(LlamaModel model, int[] prompt, int maxNewTokens, IReadOnlyCollection<int> stopTokens, Action<int>? onToken = null,
        CancellationToken cancellation = default)
        => GenerateAll(model, [prompt], maxNewTokens, stopTokens, threads: 1, onToken, cancellation)[0];

    /// <summary>
    /// Continues many prompts, in groups of up to 32 neighbours that go through the model together (fewer where their cached keys and values would need more
    /// than 512 MiB). The groups, and so the answers, do not depend on the number of threads. A prompt alone and in a group may differ where two logits agree
    /// to rounding.
    /// </summary>
    /// <param name="model">The model.</param>
    /// <param name="prompts">Each at least one token.</param>
    /// <param name="maxNewTokens">Most tokens to generate per prompt, at least 0.</param>
    /// <param name="stopTokens">Tokens that end an answer; the one that did is not returned.</param>
    /// <param name="threads">Threads to use, at least 1.</param>
    /// <param name="cancellation">Honoured between tokens.</param>
    /// <returns>The new tokens of each prompt, in the order of the prompts.</returns>
    /// <exception cref="ArgumentException">A prompt is empty or holds a token outside the vocabulary.</exception>
    /// <exception cref="ArgumentOutOfRangeException">A number is out of its range.</exception>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    public static int[][] GenerateAll(
        LlamaModel model, IReadOnlyList<int[]> prompts, int maxNewTokens, IReadOnlyCollection<int> stopTokens, int threads = 1,
        CancellationToken cancellation = default)
        => GenerateAll(model, prompts, maxNewTokens, stopTokens, threads, onToken: null, cancellation);

    private static int[][] GenerateAll(
        LlamaModel model, IReadOnlyList<int[]> prompts, int maxNewTokens, IReadOnlyCollection<int> stopTokens, int threads, Action<int>? onToken,
        CancellationToken cancellation)
    {
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
        var idle = new ConcurrentBag<CachedPass>();
        WorkGroups.Run(prompts.Count, (int)Math.Clamp(CacheEntries / perPrompt, 1, LargestGroup), threads, chosen =>
        {
            if (!idle.TryTake(out CachedPass? pass)) pass = new CachedPass(model);
            Answer(pass, prompts, chosen, maxNewTokens, stopTokens, answers, onToken, cancellation);
            idle.Add(pass);
        }, cancellation);
        return answers;
    }

    private static void Answer(
        CachedPass pass, IReadOnlyList<int[]> prompts, int[] chosen, int maxNewTokens, IReadOnlyCollection<int> stopTokens, int[][] answers,
        Action<int>? onToken, CancellationToken cancellation)
    {
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
            foreach ((int slot, int token) in pass.Step())
            {
                if (stopTokens.Contains(token)) continue;
                generated[slot].Add(token);
                onToken?.Invoke(token);
                if (generated[slot].Count < maxNewTokens) pass.Append(slot, [token]);
            }
        }
        for (int slot = 0; slot < chosen.Length; slot++) answers[chosen[slot]] = [.. generated[slot]];
    }
}
