using System.Diagnostics;
using System.Globalization;
using EcoLora.Telemetry;
using EcoLora.Training;

namespace EcoLora.Local;

/// <summary>Shows how long work gets on: one line that is rewritten on a terminal, a line per twentieth otherwise.</summary>
/// <param name="output">Where to.</param>
/// <param name="isTerminal">Whether lines can be rewritten.</param>
internal sealed class StepProgress(TextWriter output, bool isTerminal)
{
    private const long MillisecondsBetweenLines = 200;

    private readonly Lock _gate = new();
    private Stopwatch _clock = Stopwatch.StartNew();
    private long _lastLine, _twentieths;

    /// <summary>The progress of a command, on standard error.</summary>
    public static StepProgress OnStandardError() => new(Console.Error, !Console.IsErrorRedirected);

    /// <summary>A phase begins.</summary>
    public void Begin(string phase)
    {
        output.WriteLine($"{phase}…");
        _clock = Stopwatch.StartNew();
        (_lastLine, _twentieths) = (-MillisecondsBetweenLines, 0);
    }

    /// <summary>A training step is done.</summary>
    public void Step(TrainingStep step) =>
        Show(step.Step, step.Total, string.Create(CultureInfo.InvariantCulture, $"step {step.Step}/{step.Total}  loss {step.Loss:F4}"));

    /// <summary>Begins a phase over a number of things.</summary>
    /// <param name="phase">What is done.</param>
    /// <param name="unit">One of the things.</param>
    /// <param name="total">How many there are.</param>
    /// <returns>To be called, from any thread, with how many more are done.</returns>
    public Action<int> Count(string phase, string unit, int total)
    {
        Begin(phase);
        int done = 0;
        return more =>
        {
            lock (_gate)
            {
                done += more;
                Show(done, total, string.Create(CultureInfo.InvariantCulture, $"{unit} {done}/{total}"));
            }
        };
    }

    private void Show(int done, int total, string text)
    {
        bool isLast = done == total;
        long twentieths = 20L * done / total;
        bool isDue = isTerminal ? _clock.ElapsedMilliseconds - _lastLine >= MillisecondsBetweenLines : twentieths != _twentieths;
        if (!isLast && !isDue) return;
        (_lastLine, _twentieths) = (_clock.ElapsedMilliseconds, twentieths);
        double left = _clock.Elapsed.TotalSeconds / done * (total - done);
        string line = $"{text}  {Quantity.Seconds(left)} left";
        if (!isTerminal) output.WriteLine(line);
        else output.Write($"\r{line.PadRight(78)}{(isLast ? "\n" : "")}");
    }
}
