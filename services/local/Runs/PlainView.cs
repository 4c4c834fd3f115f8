using EcoLora.Federation;
using EcoLora.Hosting;
using EcoLora.Services.Trainer;

namespace EcoLora.Local.Runs;

/// <summary>One line per round, for logs and pipes.</summary>
internal sealed class PlainView(TextWriter output) : IRunView
{
    private RunProgress? _progress;

    public void Begin(RunRequest request, RunInput input, IReadOnlyList<Arm> arms)
    {
        _progress = new RunProgress(arms);
        output.WriteLine($"{RunProgress.Headline(request, input)}, results in {request.Folder}");
    }

    public void Advance(Arm arm, RunState state, JournalEntry entry)
    {
        int before = _progress!.Arms.First(a => a.Arm == arm).Rounds;
        ArmProgress progress = _progress.Advance(arm, state, entry);
        if (entry is Heard { Report: ClientReport { Refused: { } reason } refused })
            output.WriteLine($"{arm.Label}: round {refused.Round}: the update of {ArmFactsOf.ClientName(refused.Client)} is refused: {reason}");
        if (progress.Rounds > before || progress.IsFinished) output.WriteLine(RunProgress.Line(progress));
    }
}
