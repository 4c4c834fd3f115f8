using System.Globalization;
using System.Text.Json.Nodes;
using EcoLora.Formats.Data;
using EcoLora.Telemetry;
using EcoLora.Training;

namespace EcoLora.Local;

/// <summary>What a model scored on a file of multiple-choice questions.</summary>
/// <param name="File">The file, as the caller named it.</param>
/// <param name="Cut">Questions whose prompt was cut from the left, to fit into the model's positions.</param>
/// <param name="Score">How many were answered right.</param>
internal sealed record ChoiceScores(string File, int Cut, MultipleChoiceScore Score)
{
    /// <summary>Scores a model on the questions of a file.</summary>
    public static ChoiceScores Measure(
        TunedModel tuned, string file, IReadOnlyList<MultipleChoiceQuestion> questions, int threads, StepProgress progress, CancellationToken cancellation)
    {
        (ChoiceQuestion[] tokenised, int cut) = tuned.Questions(questions, cancellation);
        Action<int> onDone = progress.Count($"scoring {file}", "choice", tokenised.Sum(question => question.Choices.Count));
        return new ChoiceScores(file, cut, MultipleChoice.Score(tuned.Model, tokenised, threads, onDone, cancellation));
    }

    /// <summary>For programs.</summary>
    public JsonObject ToJson() => new()
    {
        ["file"] = File,
        ["questions"] = Score.Accuracy.Count,
        ["cut"] = Cut,
        ["accuracy"] = ScoreText.Number(Score.Accuracy.Value),
        ["accuracyStandardError"] = ScoreText.Number(Score.Accuracy.StandardError),
        ["normalizedAccuracy"] = ScoreText.Number(Score.NormalizedAccuracy.Value),
        ["normalizedAccuracyStandardError"] = ScoreText.Number(Score.NormalizedAccuracy.StandardError),
    };

    /// <summary>For people.</summary>
    public static ResultTable ToTable(IEnumerable<ChoiceScores> files) => new(
        "", ["multiple choice", "questions", "cut", "accuracy", "normalised accuracy"], [.. files.Select(file => file.Cells())]);

    private string[] Cells() =>
    [
        File,
        Score.Accuracy.Count.ToString(CultureInfo.InvariantCulture),
        Cut.ToString(CultureInfo.InvariantCulture),
        ScoreText.WithError(Quantity.Percent, Score.Accuracy.Value, Score.Accuracy.StandardError),
        ScoreText.WithError(Quantity.Percent, Score.NormalizedAccuracy.Value, Score.NormalizedAccuracy.StandardError),
    ];
}
