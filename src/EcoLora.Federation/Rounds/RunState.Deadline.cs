using EcoLora.Numerics;

namespace EcoLora.Federation;

/// <content>What is decided where a round does not wait for everybody (<see cref="DeadlineOptions"/>).</content>
public sealed partial class RunState
{
    /// <summary>Clients that take part in a round of which nothing is known yet: they are not sampled, since a client trains one round at a time.</summary>
    public IReadOnlySet<int> Busy => _rounds.SelectMany(round => round.Unreported).ToHashSet();

    /// <summary>
    /// What is said again to those who are there but have not told what became of a closed round: its opening and its close, what came of their rounds before,
    /// which their codec may have missed, and that they are awaited.
    /// </summary>
    /// <param name="present">As for <see cref="Next"/>.</param>
    public IEnumerable<RoundMessage> SaidToStragglers(IReadOnlyCollection<int>? present = null)
    {
        foreach (RoundRecord round in _rounds.Where(round => round.Closed is not null))
        {
            int[] awaited = [.. round.Unreported.Where(client => present?.Contains(client) != false)];
            if (awaited.Length == 0) continue;
            foreach (RoundRecord before in _rounds.Take(round.Round).Where(before => before.Opened.Participants.Any(p => awaited.Contains(p.Client)))) yield return before.Closed!;
            yield return round.Opened;
            yield return round.Closed!;
            yield return new Reminder(Plan.Run, round.Round, awaited, [], Change: false);
        }
    }

    /// <summary>
    /// A round closes when each segment has its answers and either N_t frames are there, or nobody is left to wait for, or its time is over. At the deadline, segments
    /// without enough answers get further participants. The next round opens as soon as the change is published: sites that are slow catch up by themselves.
    /// </summary>
    private RoundMessage? NextByDeadline(IReadOnlyCollection<int> present)
    {
        RoundRecord? last = _rounds.Count == 0 ? null : _rounds[^1];
        if (last is not { Closed: null })
        {
            if (last is { Aggregated: null }) return null;
            int next = _rounds.Count;
            return next == Plan.Rounds ? new RunEnding(Plan.Run, next) : OpenWith(next, Free(present));
        }
        bool isEverybodyDone = last.Opened.Participants.All(p => last.IsAnsweredBy(p.Client) || last.Missed.Contains(p.Client));
        int[] lacking = Lacking(last);
        if (lacking.Length > 0) return isEverybodyDone || last.IsOverdue ? Reinforce(last, lacking, Free(present)) : null;
        bool isEnough = last.Opened.Participants.Count(p => IsDelivered(last, p.Client)) >= Plan.Participants;
        return isEnough || isEverybodyDone || last.IsOverdue ? Close(last) : null;
    }

    private int[] Free(IReadOnlyCollection<int> present)
    {
        IReadOnlySet<int> busy = Busy;
        return [.. present.Where(client => !busy.Contains(client))];
    }

    /// <summary>The next round, or null while fewer clients are free than can give each segment its answers.</summary>
    private RoundOpened? OpenWith(int round, int[] free)
    {
        DeadlineOptions deadline = Plan.Deadline!;
        if (free.Length < Math.Max(1, deadline.MinimumCoverage * Plan.Exchange.Segments)) return null;
        return Open(round, RoundRobinSchedule.Sample(Plan.Seed, round, free, Math.Min(free.Length, deadline.Sampled(Plan.Participants))));
    }

    /// <summary>Segments that lack answers, each as often as it lacks one.</summary>
    private int[] Lacking(RoundRecord round)
    {
        int[] answers = Aggregation.Coverage(round.Opened.Participants.Where(p => round.IsAnsweredBy(p.Client)).Select(p => p.Segment), Plan.Exchange.Segments);
        return [.. answers.SelectMany((count, segment) => Enumerable.Repeat(segment, Math.Max(0, Plan.Deadline!.MinimumCoverage - count)))];
    }

    /// <summary>The round with further participants for segments that lack answers, or null while nobody is free.</summary>
    private RoundOpened? Reinforce(RoundRecord round, int[] lacking, int[] free)
    {
        IReadOnlyList<Participant> participants = round.Opened.Participants;
        int[] spare = [.. free.Where(client => participants.All(p => p.Client != client))];
        if (spare.Length == 0) return null;
        new RandomStream(Plan.Seed, "reinforcement", round.Round, participants.Count).Shuffle(spare.AsSpan());
        return round.Opened with { Participants = [.. participants, .. lacking.Zip(spare, (segment, client) => (segment, client)).Select((pair, i) => new Participant(pair.client, participants.Count + i, pair.segment))] };
    }
}
