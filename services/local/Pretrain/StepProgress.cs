using System.Diagnostics;
using System.Globalization;
using EcoLora.Telemetry;
using EcoLora.Training;

namespace EcoLora.Local;

/// <summary>Shows how a training job gets on: one line that is rewritten on a terminal, a line per twentieth otherwise.</summary>
/// <param name="output">Where to.</param>
/// <param name="isTerminal">Whether lines can be rewritten.</param>
internal sealed class StepProgress(TextWriter output, bool isTerminal)
{
    private const long MillisecondsBetweenLines = 200;

    private Stopwatch _clock = Stopwatch.StartNew();
    private long _lastLine;

    /// <summary>A phase begins.</summary>
    public void Begin(string phase)
    {
        output.WriteLine($"{phase}…");
        _clock = Stopwatch.StartNew();
        _lastLine = -MillisecondsBetweenLines;
    }

    /// <summary>A step is done.</summary>
    public void Step(TrainingStep step)
    {
        bool isLast = step.Step == step.Total;
        bool isDue = isTerminal ? _clock.ElapsedMilliseconds - _lastLine >= MillisecondsBetweenLines : step.Step % Math.Max(1, step.Total / 20) == 0;
        if (!isLast && !isDue) return;
        _lastLine = _clock.ElapsedMilliseconds;
        double left = _clock.Elapsed.TotalSeconds / step.Step * (step.Total - step.Step);
        string line = string.Create(CultureInfo.InvariantCulture, $"step {step.Step}/{step.Total}  loss {step.Loss:F4}  {Quantity.Seconds(left)} left");
        if (!isTerminal) output.WriteLine(line);
        else output.Write($"\r{line.PadRight(78)}{(isLast ? "\n" : "")}");
    }
}
