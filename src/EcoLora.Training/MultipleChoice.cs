namespace EcoLora.Training;

/// <summary>A tokenised multiple-choice question.</summary>
/// <param name="Choices">Per choice the prompt and the choice after it, whose text is <see cref="Example.Answer"/>.</param>
/// <param name="Answer">Index of the right choice.</param>
public sealed record ChoiceQuestion(IReadOnlyList<Example> Choices, int Answer);

/// <summary>How many questions a model answered right.</summary>
/// <param name="Accuracy">By the largest log-likelihood (lm-evaluation-harness' <c>acc</c>).</param>
/// <param name="NormalizedAccuracy">By the largest log-likelihood per character (its <c>acc_norm</c>).</param>
public sealed record MultipleChoiceScore(Proportion Accuracy, Proportion NormalizedAccuracy);

/// <summary>
/// Multiple choice by likelihood: the model's choice is the one with the largest ln p(choice | prompt) = Σ ln p(token | what comes before it), over the
/// choice's tokens. Longer choices have more factors below 1, so that the sum alone favours short ones; the normalised choice divides it by the number of
/// characters (Unicode scalar values) of the choice's text without the space before it. Characters, not tokens: a score then does not depend on how a
/// tokenizer cuts a choice, and is the number that lm-evaluation-harness reports. The first choice wins a tie, and one whose likelihood is NaN never wins.
/// </summary>
public static class MultipleChoice
{
    /// <summary>Scores a model; an adapter with <see cref="LlamaModel.WithAdapter"/>. The same bits for any number of threads.</summary>
    /// <param name="model">The model.</param>
    /// <param name="questions">The questions; may be empty.</param>
    /// <param name="threads">Threads to use, at least 1.</param>
    /// <param name="onDone">Is told how many choices more are scored, from any thread; or null.</param>
    /// <param name="cancellation">Honoured between groups of 16 choices.</param>
    /// <exception cref="ArgumentException">A question's answer is none of its choices, or a choice is malformed or without text.</exception>
    /// <exception cref="ArgumentOutOfRangeException">Threads is below 1.</exception>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    public static MultipleChoiceScore Score(
        IDecoder model, IReadOnlyList<ChoiceQuestion> questions, int threads = 1, Action<int>? onDone = null, CancellationToken cancellation = default)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(threads, 1);
        for (int i = 0; i < questions.Count; i++)
        {
            if ((uint)questions[i].Answer >= (uint)questions[i].Choices.Count)
                throw new ArgumentException($"question {i}: answer: expected 0 to {questions[i].Choices.Count - 1}, found {questions[i].Answer}", nameof(questions));
            if (questions[i].Choices.Any(choice => choice.Answer.Length == 0))
                throw new ArgumentException($"question {i}: expected choices with a text, found one without", nameof(questions));
        }
        return Score(questions, Evaluator.Losses(model, [.. questions.SelectMany(question => question.Choices)], threads, onDone, cancellation));
    }

    /// <summary>The score by the losses −ln p of all choices, question by question.</summary>
    internal static MultipleChoiceScore Score(IReadOnlyList<ChoiceQuestion> questions, ReadOnlySpan<double> losses)
    {
        int right = 0, rightNormalized = 0;
        foreach (ChoiceQuestion question in questions)
        {
            ReadOnlySpan<double> own = losses[..question.Choices.Count];
            losses = losses[question.Choices.Count..];
            int best = -1, bestNormalized = -1;
            double least = double.PositiveInfinity, leastNormalized = double.PositiveInfinity;
            for (int i = 0; i < own.Length; i++)
            {
                double normalized = own[i] / question.Choices[i].Answer.EnumerateRunes().Count();
                if (own[i] < least) (best, least) = (i, own[i]);
                if (normalized < leastNormalized) (bestNormalized, leastNormalized) = (i, normalized);
            }
            if (best == question.Answer) right++;
            if (bestNormalized == question.Answer) rightNormalized++;
        }
        return new MultipleChoiceScore(new Proportion(right, questions.Count), new Proportion(rightNormalized, questions.Count));
    }
}
