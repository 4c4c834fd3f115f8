using EcoLora.Federation;

namespace EcoLora.Services.Trainer;

/// <summary>A trainer's part in a run.</summary>
/// <param name="Site">Number of its site.</param>
/// <param name="Evaluates">Whether it scores the published versions on held-out records.</param>
/// <param name="Hosts">Whether it hosts a client.</param>
/// <param name="Engine">What trains; may load model and data when it is first asked for.</param>
public sealed record TrainerPart(int Site, bool Evaluates, Func<int, bool> Hosts, Func<ITrainingEngine> Engine)
{
    /// <summary>Whether a hosted client trains in a round that it was sampled for, (round, client); a replay leaves out who never came back.</summary>
    public Func<int, int, bool> Trains { get; init; } = (_, _) => true;
}

/// <summary>How a trainer says that it is there.</summary>
/// <param name="Site">Name of its site.</param>
/// <param name="Trainer">Its number there.</param>
/// <param name="Lease">How long one such report counts; it is said three times as often.</param>
public sealed record TrainerPresence(string Site, int Trainer, TimeSpan Lease);

/// <summary>What a trainer needs besides the bus.</summary>
/// <param name="Consumer">Its name on the bus, and its app id where it is a service of its own.</param>
/// <param name="PartIn">Its part in a run; null for a run that it has none in.</param>
/// <param name="Threads">Training jobs that may run at once; shared by the trainers of one machine.</param>
/// <param name="Fault">Is told an exception of a job that ended without a report.</param>
/// <param name="Presence">How it says that it is there, in runs with a deadline; null where all trainers are one process.</param>
/// <param name="Enrol">Answers an announced run: <see cref="TrainerEnrolled"/> or <see cref="TrainerDeclined"/>; null where every roster is known.</param>
public sealed record TrainerOptions(
    string Consumer, Func<RunPlan, TrainerPart?> PartIn, SemaphoreSlim Threads, Action<Exception> Fault, TrainerPresence? Presence = null,
    Func<RunAnnounced, ReportMessage>? Enrol = null);
