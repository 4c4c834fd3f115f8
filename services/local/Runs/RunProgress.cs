using System.Diagnostics;
using EcoLora.Federation;
using EcoLora.Hosting;
using EcoLora.Services.Trainer;
using EcoLora.Telemetry;

namespace EcoLora.Local.Runs;

/// <summary>How far an arm has come, in the numbers that a person watches.</summary>
public sealed class ArmProgress(Arm arm)
{
    /// <summary>The arm.</summary>
    public Arm Arm { get; } = arm;

    /// <summary>Rounds whose change every site holds.</summary>
    public int Rounds { get; private set; }

    /// <summary>Clients of the open round that have reported.</summary>
    public int Reported { get; private set; }

    /// <summary>L_t of the last complete round.</summary>
    public double? TrainLoss { get; private set; }

    /// <summary>The last evaluation.</summary>
    public HeldOutScore? HeldOut { get; private set; }

    /// <summary>Its share of answers that are as they should be: exact match, or of pairs the reward accuracy; null when neither was measured.</summary>
    public double? Right => (HeldOut?.Preferred ?? HeldOut?.Correct) / (double?)HeldOut?.Records;

    /// <summary>Framed bytes of segments sent.</summary>
    public long UpBytes { get; private set; }

    /// <summary>Framed bytes of changes delivered to sites.</summary>
    public long DownBytes { get; private set; }

    /// <summary>What dense FP16 exchange would have cost for the same deliveries.</summary>
    public long DenseBytes { get; private set; }

    /// <summary>True when the arm is over.</summary>
    public bool IsFinished { get; private set; }

    /// <summary>Takes a journal entry in.</summary>
    public void Advance(RunState state, JournalEntry entry)
    {
        RunPlan plan = Arm.Plan;
        Rounds = state.Rounds.Count(round => round.Sites.Count == plan.Sites);
        Reported = state.Rounds.Count > 0 ? state.Rounds[^1].Clients.Count : 0;
        TrainLoss = state.Rounds.LastOrDefault(round => round.Closed is not null)?.Loss;
        IsFinished = state.IsFinished;
        switch (entry)
        {
            case Heard { Report: SegmentReceived stored }:
                UpBytes += stored.Sizes.Framed;
                DenseBytes += 2 * Dense.Up(stored.Client);
                break;
            case Heard { Report: SiteUpdated site }:
                DownBytes += site.Bytes;
                DenseBytes += 2 * Dense.Down(state.Rounds[site.Version - 1]);
                break;
            case Heard { Report: Evaluated evaluated }:
                HeldOut = evaluated.Score;
                break;
        }
    }

    /// <summary>Bytes saved against dense FP16, in percent.</summary>
    public double? Saved => DenseBytes == 0 ? null : 1 - (double)(UpBytes + DownBytes) / DenseBytes;

    private DenseEntries Dense { get; } = new(arm.Plan);
}

/// <summary>All arms, and the time that is left by the pace so far.</summary>
public sealed class RunProgress(IReadOnlyList<Arm> arms)
{
    private readonly Stopwatch _clock = Stopwatch.StartNew();
    private int? _foundDone;

    /// <summary>The arms.</summary>
    public IReadOnlyList<ArmProgress> Arms { get; } = [.. arms.Select(arm => new ArmProgress(arm))];

    /// <summary>Time since the start.</summary>
    public TimeSpan Elapsed => _clock.Elapsed;

    /// <summary>Time left by the pace of the rounds so far; null before the first.</summary>
    public TimeSpan? Left
    {
        get
        {
            int done = Done - (_foundDone ?? 0), left = Arms.Sum(arm => arm.Arm.Plan.Rounds) - Done;
            return done == 0 ? null : Elapsed / done * left;
        }
    }

    /// <summary>Takes a journal entry in.</summary>
    /// <returns>The arm's progress.</returns>
    public ArmProgress Advance(Arm arm, RunState state, JournalEntry entry)
    {
        ArmProgress progress = Arms.First(a => a.Arm == arm);
        progress.Advance(state, entry);
        // What a resumed run finds done says nothing about its pace.
        if (Elapsed < TimeSpan.FromSeconds(0.5)) _foundDone = Done;
        return progress;
    }

    private int Done => Arms.Sum(arm => arm.Rounds);

    /// <summary>What the run is, in one line.</summary>
    public static string Headline(RunRequest request, RunInput input)
    {
        string size = $"{input.Data.Clients.Count} clients, {request.File.Federation.Participants} a round, {InputFacts.LoraParameters(input)} LoRA parameters";
        return $"{request.File.Name}: {size}";
    }

    /// <summary>A one-line summary of an arm.</summary>
    public static string Line(ArmProgress arm)
    {
        string exact = arm.HeldOut switch
        {
            { Preferred: not null } pairs => $", reward accuracy {Quantity.Percent(arm.Right)}, reward margin {Quantity.Loss(pairs.RewardMargin)}",
            { Correct: not null } => $", exact match {Quantity.Percent(arm.Right)}",
            _ => "",
        };
        return $"{arm.Arm.Label}: round {arm.Rounds}/{arm.Arm.Plan.Rounds}, train loss {Quantity.Loss(arm.TrainLoss)}, "
            + $"held-out loss {Quantity.Loss(arm.HeldOut?.Loss)}{exact}, up {Quantity.Bytes(arm.UpBytes)}, down {Quantity.Bytes(arm.DownBytes)}, saved {Quantity.Percent(arm.Saved)} of dense fp16";
    }
}
