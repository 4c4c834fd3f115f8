namespace EcoLora.Telemetry;

/// <summary>A participant's link. Its rates are those at which IP packets pass, headers included.</summary>
/// <param name="UpMbps">Uplink in 10^6 bits per second.</param>
/// <param name="DownMbps">Downlink in 10^6 bits per second.</param>
/// <param name="LatencyMilliseconds">Latency of one way; the round trip takes twice as long.</param>
public sealed record Link(double UpMbps, double DownMbps, double LatencyMilliseconds)
{
    /// <summary>The paper's four links (Fig. 3): UL/DL 0.2/1, 1/5, 2/10 and 5/25 Mbps, 50 ms.</summary>
    public static IReadOnlyList<Link> Paper { get; } = [new(0.2, 1, 50), new(1, 5, 50), new(2, 10, 50), new(5, 25, 50)];

    /// <summary>Seconds for one participant's round: its download, then its upload, each a <see cref="TcpTransfer"/> of its own.</summary>
    public double Seconds(long upBytes, long downBytes) => UpSeconds(upBytes) + DownSeconds(downBytes);

    /// <summary>Seconds until the hub has what a site sends.</summary>
    public double UpSeconds(long bytes) => TcpTransfer.Seconds(bytes, UpMbps, DownMbps, LatencyMilliseconds);

    /// <summary>Seconds until a site has what the hub sends.</summary>
    public double DownSeconds(long bytes) => TcpTransfer.Seconds(bytes, DownMbps, UpMbps, LatencyMilliseconds);
}

/// <summary>What an arm would spend on a link.</summary>
/// <param name="Name">The arm's name, or <c>dense fp32</c> and <c>dense fp16</c> for the computed references.</param>
/// <param name="Computed">Whether it comes from the first arm's dense columns instead of an arm that ran.</param>
/// <param name="Seconds">Σ over the rounds.</param>
/// <param name="PerRound">Seconds per round of the arm.</param>
public sealed record LinkArm(string Name, bool Computed, double Seconds, IReadOnlyList<double> PerRound);

/// <summary>
/// Communication time on one link, computed from bytes alone, so equal runs have equal times. The participants of a round work in parallel, each on its own
/// link; a round lasts as long as its slowest: T_t = max_i (down(d_i + cd_i) + up(u_i + cu_i)), each a <see cref="TcpTransfer"/>, with u_i the client's
/// framed bytes, d_i the framed bytes
/// delivered to its site, cu_i and cd_i the control bytes of its site. For the computed references u_i and d_i are the dense columns. A round without
/// participants takes 0. The model, and how it compares with measurements, is in docs/network-time.md.
/// </summary>
/// <param name="Link">The link.</param>
/// <param name="Arms">The arms in their order, then the computed references.</param>
public sealed record LinkTimes(Link Link, IReadOnlyList<LinkArm> Arms)
{
    /// <summary>The times of all arms on each of the paper's links.</summary>
    public static IReadOnlyList<LinkTimes> Of(IReadOnlyList<ArmFacts> arms)
    {
        var loads = arms.Select(arm => (arm.Name, Computed: false, Rounds: Loads(arm, row => row.Framed))).ToList();
        if (arms.Count > 0)
        {
            loads.Add(("dense fp32", true, Loads(arms[0], row => row.DenseFp32)));
            loads.Add(("dense fp16", true, Loads(arms[0], row => row.DenseFp16)));
        }
        return [.. Link.Paper.Select(link => new LinkTimes(link, [.. loads.Select(load => Arm(link, load.Name, load.Computed, load.Rounds))]))];
    }

    private static LinkArm Arm(Link link, string name, bool computed, IReadOnlyList<(long Up, long Down)[]> rounds)
    {
        double[] perRound = [.. rounds.Select(round => round.Length == 0 ? 0 : round.Max(load => link.Seconds(load.Up, load.Down)))];
        return new LinkArm(name, computed, perRound.Sum(), perRound);
    }

    /// <summary>Per round and participant the bytes up and down, control messages of its site included.</summary>
    private static (long Up, long Down)[][] Loads(ArmFacts arm, Func<LedgerRow, long> bytes)
    {
        ILookup<(int, Direction, string), LedgerRow> rows = arm.Ledger.ToLookup(row => (row.Round, row.Direction, row.Client));
        return
        [
            .. arm.Rounds.Select(round => round.Participants.Select(participant => (
                Sum(round, Direction.Up, participant.Client, bytes) + Sum(round, Direction.ControlUp, participant.Site, row => row.Framed),
                Sum(round, Direction.Down, participant.Site, bytes) + Sum(round, Direction.ControlDown, participant.Site, row => row.Framed))).ToArray()),
        ];

        long Sum(RoundFacts round, Direction direction, string client, Func<LedgerRow, long> count) => rows[(round.Round, direction, client)].Sum(count);
    }
}
