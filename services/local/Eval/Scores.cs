using System.Globalization;
using System.Text.Json.Nodes;
using EcoLora.Telemetry;
using EcoLora.Training;

namespace EcoLora.Local;

/// <summary>What a group of records scored.</summary>
/// <param name="Category">The records' category, or <c>all</c>.</param>
/// <param name="Loss">The loss of their answers.</param>
/// <param name="ExactMatch">How many answers equal the record's, or null when not measured.</param>
internal sealed record Score(string Category, LossScore Loss, Proportion? ExactMatch);

/// <summary>The scores of a model over records.</summary>
/// <param name="All">Over all records.</param>
/// <param name="Categories">Per category, by name.</param>
internal sealed record Scores(Score All, IReadOnlyList<Score> Categories)
{
    /// <summary>Measures the loss and, unless <paramref name="maxNewTokens"/> is null, generates the answers.</summary>
    public static Scores Measure(
        TunedModel tuned, Example[] examples, IReadOnlyCollection<int> stopTokens, int? maxNewTokens, int threads, StepProgress progress,
        CancellationToken cancellation)
    {
        EvaluationResult loss = Evaluator.Evaluate(
            tuned.Model, examples, threads, progress.Count("measuring the loss", "record", examples.Length), cancellation);
        bool[]? correct = maxNewTokens is null ? null : Correct(tuned, examples, stopTokens, maxNewTokens.Value, threads, progress, cancellation);
        Proportion? ExactMatch(Func<Example, bool> belongs) => correct is null ? null : Proportion.Of(correct.Where((_, i) => belongs(examples[i])));
        return new Scores(
            new Score("all", loss.Overall, ExactMatch(_ => true)),
            [.. loss.ByCategory.Select(pair => new Score(pair.Key, pair.Value, ExactMatch(example => example.Category == pair.Key)))]);
    }

    /// <summary>For programs and for people.</summary>
    public Finding ToFinding() => new(ToJson(), [ToTable()]);

    private JsonObject ToJson()
    {
        JsonObject json = Json(All);
        json.Remove("category");
        json["categories"] = new JsonArray([.. Categories.Select(Json)]);
        return json;
    }

    private ResultTable ToTable() => new(
        "", ["category", "records", "answer tokens", "loss", "perplexity", "exact match"], [.. Categories.Append(All).Select(Cells)]);

    private static bool[] Correct(
        TunedModel tuned, Example[] examples, IReadOnlyCollection<int> stopTokens, int maxNewTokens, int threads, StepProgress progress,
        CancellationToken cancellation)
    {
        int[][] prompts = [.. examples.Select(example => example.Tokens[..example.PromptLength])];
        int[][] answers = Generator.GenerateAll(
            tuned.Model, prompts, maxNewTokens, stopTokens, sampling: null, threads,
            progress.Count("generating answers", "record", prompts.Length), cancellation);
        return [.. answers.Select((answer, i) => tuned.Tokenizer.Decode(answer).Trim() == examples[i].Answer.Trim())];
    }

    private static JsonObject Json(Score score) => new()
    {
        ["category"] = score.Category,
        ["records"] = score.Loss.Examples,
        ["answerTokens"] = score.Loss.Tokens,
        ["loss"] = ScoreText.Number(score.Loss.MeanLoss),
        ["lossStandardError"] = ScoreText.Number(score.Loss.StandardError),
        ["perplexity"] = ScoreText.Number(score.Loss.Perplexity),
        ["exactMatch"] = ScoreText.Number(score.ExactMatch?.Value),
        ["exactMatchStandardError"] = ScoreText.Number(score.ExactMatch?.StandardError),
    };

    private static string[] Cells(Score score) =>
    [
        score.Category.Length == 0 ? "(none)" : score.Category,
        score.Loss.Examples.ToString(CultureInfo.InvariantCulture),
        score.Loss.Tokens.ToString(CultureInfo.InvariantCulture),
        ScoreText.WithError(Quantity.Loss, score.Loss.MeanLoss, score.Loss.StandardError),
        Quantity.Loss(score.Loss.Perplexity),
        ScoreText.WithError(Quantity.Percent, score.ExactMatch?.Value, score.ExactMatch?.StandardError),
    ];
}
