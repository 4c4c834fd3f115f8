using System.Globalization;
using System.Text.Json.Nodes;
using EcoLora.Telemetry;
using EcoLora.Training;

namespace EcoLora.Local;

/// <summary>The scores of a model over preference pairs, against its reference.</summary>
internal static class PreferenceScores
{
    /// <summary>Measures DPO loss, reward accuracy and reward margin.</summary>
    /// <param name="reference">π_ref: the base model, which is what a run's first adapter leaves it.</param>
    /// <param name="model">π.</param>
    /// <param name="pairs">The pairs.</param>
    /// <param name="beta">β.</param>
    /// <param name="threads">Threads to use.</param>
    /// <param name="progress">Is told how it goes on.</param>
    /// <param name="cancellation">Honoured between groups of sequences.</param>
    public static Finding Measure(
        LlamaModel reference, LlamaModel model, PreferencePair[] pairs, double beta, int threads, StepProgress progress, CancellationToken cancellation)
    {
        double[] references = PreferencePair.LogRatios(reference, pairs, threads, progress.Count("measuring the reference", "answer", 2 * pairs.Length), cancellation);
        PreferenceResult result = PreferenceEvaluator.Evaluate(
            model, pairs, new PreferenceLoss(beta, references), threads, progress.Count("measuring the preferences", "answer", 2 * pairs.Length), cancellation);
        JsonObject json = Json(result.Overall);
        json["categories"] = new JsonArray([.. result.ByCategory.Select(pair =>
        {
            JsonObject category = Json(pair.Value);
            category.Insert(0, "category", pair.Key);
            return category;
        })]);
        var table = new ResultTable(
            "", ["category", "pairs", "answer tokens", "DPO loss", "reward accuracy", "reward margin"],
            [.. result.ByCategory.Append(KeyValuePair.Create("all", result.Overall)).Select(pair => Cells(pair.Key, pair.Value))]);
        return new Finding(json, [table]);
    }

    private static JsonObject Json(PreferenceScore score) => new()
    {
        ["records"] = score.Accuracy.Count,
        ["answerTokens"] = score.Tokens,
        ["loss"] = ScoreText.Number(score.Loss),
        ["lossStandardError"] = ScoreText.Number(score.LossStandardError),
        ["rewardAccuracy"] = ScoreText.Number(score.Accuracy.Value),
        ["rewardAccuracyStandardError"] = ScoreText.Number(score.Accuracy.StandardError),
        ["rewardMargin"] = ScoreText.Number(score.Margin),
        ["rewardMarginStandardError"] = ScoreText.Number(score.MarginStandardError),
    };

    private static string[] Cells(string category, PreferenceScore score) =>
    [
        category.Length == 0 ? "(none)" : category,
        score.Accuracy.Count.ToString(CultureInfo.InvariantCulture),
        score.Tokens.ToString(CultureInfo.InvariantCulture),
        ScoreText.WithError(Quantity.Loss, score.Loss, score.LossStandardError),
        ScoreText.WithError(Quantity.Percent, score.Accuracy.Value, score.Accuracy.StandardError),
        ScoreText.WithError(Quantity.Loss, score.Margin, score.MarginStandardError),
    ];
}
