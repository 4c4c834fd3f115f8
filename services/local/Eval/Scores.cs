using System.Globalization;
using System.Text.Json.Nodes;
using EcoLora.Telemetry;
using EcoLora.Training;

namespace EcoLora.Local;

/// <summary>What a group of records scored.</summary>
/// <param name="Category">The records' category, or <c>all</c>.</param>
/// <param name="Records">Records.</param>
/// <param name="AnswerTokens">Tokens that count in the loss.</param>
/// <param name="Loss">Mean loss per answer token in nats; NaN where there is none.</param>
/// <param name="Correct">Answers that equal the record's, or null when not measured.</param>
internal sealed record Score(string Category, int Records, long AnswerTokens, double Loss, int? Correct);

/// <summary>The scores of a model over records.</summary>
/// <param name="All">Over all records.</param>
/// <param name="Categories">Per category, by name.</param>
internal sealed record Scores(Score All, IReadOnlyList<Score> Categories)
{
    /// <summary>Measures the loss and, unless <paramref name="maxNewTokens"/> is null, generates the answers.</summary>
    public static Scores Measure(
        TunedModel tuned, Example[] examples, IReadOnlyCollection<int> stopTokens, int? maxNewTokens, int threads, CancellationToken cancellation)
    {
        EvaluationResult loss = Evaluator.Evaluate(tuned.Model, examples, threads, cancellation);
        bool[]? correct = maxNewTokens is null ? null : Correct(tuned, examples, stopTokens, maxNewTokens.Value, threads, cancellation);
        int? Count(Func<Example, bool> belongs) => correct is null ? null : examples.Where((example, i) => belongs(example) && correct[i]).Count();
        return new Scores(
            new Score("all", loss.Overall.Examples, loss.Overall.Tokens, loss.Overall.MeanLoss, Count(_ => true)),
            [.. loss.ByCategory.Select(pair =>
                new Score(pair.Key, pair.Value.Examples, pair.Value.Tokens, pair.Value.MeanLoss, Count(example => example.Category == pair.Key)))]);
    }

    /// <summary>For programs.</summary>
    public JsonObject ToJson()
    {
        JsonObject json = Json(All);
        json.Remove("category");
        json.Insert(0, "kind", "evaluation");
        json["categories"] = new JsonArray([.. Categories.Select(Json)]);
        return json;
    }

    /// <summary>For people.</summary>
    public ResultTable ToTable() => new("", ["category", "records", "answer tokens", "loss", "exact match"], [.. Categories.Append(All).Select(Cells)]);

    private static bool[] Correct(
        TunedModel tuned, Example[] examples, IReadOnlyCollection<int> stopTokens, int maxNewTokens, int threads, CancellationToken cancellation)
    {
        int[][] prompts = [.. examples.Select(example => example.Tokens[..example.PromptLength])];
        int[][] answers = Generator.GenerateAll(tuned.Model, prompts, maxNewTokens, stopTokens, threads, cancellation);
        return [.. answers.Select((answer, i) => tuned.Tokenizer.Decode(answer).Trim() == examples[i].Answer.Trim())];
    }

    private static JsonObject Json(Score score) => new()
    {
        ["category"] = score.Category,
        ["records"] = score.Records,
        ["answerTokens"] = score.AnswerTokens,
        ["loss"] = double.IsFinite(score.Loss) ? score.Loss : null,
        ["exactMatch"] = score.Correct is { } correct && score.Records > 0 ? (double)correct / score.Records : null,
    };

    private static string[] Cells(Score score) =>
    [
        score.Category.Length == 0 ? "(none)" : score.Category,
        score.Records.ToString(CultureInfo.InvariantCulture),
        score.AnswerTokens.ToString(CultureInfo.InvariantCulture),
        Quantity.Loss(score.Loss),
        Quantity.Percent(score.Correct is { } correct && score.Records > 0 ? (double)correct / score.Records : null),
    ];
}
