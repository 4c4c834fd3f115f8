using System.Globalization;
using System.Text.Json;

namespace EcoLora.Telemetry.Tests;

/// <summary>A made-up run of 12 rounds and 3 arms with plausible numbers: what the page and the files are tested with.</summary>
internal static class SampleRun
{
    public const int Clients = 20;
    public const int Rounds = 12;
    public const int Participants = 10;
    public const int Segments = 5;
    private const long A = 12_288;
    private const long B = 12_288;
    private static readonly string[] Categories = ["arithmetic", "colours", "opposites", "plurals", "sorting", "spelling", "summaries"];

    public static RunReport Report(string run = "quickstart", string arm = "fedit + ecolora", RunTiming? timing = null) =>
        RunReport.Of(Facts(run), Arms(arm), timing);

    public static RunTiming Timing { get; } = new(
        new DateTimeOffset(2026, 11, 22, 20, 0, 0, TimeSpan.Zero), 141.7, 2, 412_000_000,
        [new("fedit + ecolora", 52.2), new("fedit dense fp16", 44.9), new("fedit dense fp32", 44.6)]);

    public static RunFacts Facts(string run) => new(
        run, 42, "0.1.0",
        JsonSerializer.Deserialize<JsonElement>(
            """
            {
              "method": "fedit", "rounds": 12, "participants": 10, "segments": 5,
              "lora": { "rank": 8, "alpha": 16, "modules": ["q_proj", "v_proj"] },
              "codec": { "kMax": 0.95, "kMinA": 0.6, "kMinB": 0.5, "gammaA": 2, "gammaB": 4, "feedback": "auto" },
              "training": { "optimizer": "adamw", "learningRate": 0.003, "epochs": 1, "batch": 8, "clip": 1 }
            }
            """),
        new ModelFacts("quickstart-base", 1_114_368, A + B, 8, 16, ["q_proj", "v_proj"]),
        new DataFacts("quickstart-tasks", 4_400, 400, 3, "dirichlet(0.5)", Categories, [.. Enumerable.Range(0, Clients).Select(Share)]),
        new DecisionFacts("strict", (Rounds * 13) + 1, "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"));

    /// <summary>The same run on preference pairs.</summary>
    public static RunReport OfPairs() => RunReport.Of(Facts("pairs"), [.. Arms().Select(arm => arm with
    {
        Before = OfPairs(arm.Before!, 0),
        Rounds = [.. arm.Rounds.Select(round => round with { HeldOut = OfPairs(round.HeldOut!, round.Round + 1) })],
    })], timing: null);

    private static Evaluation OfPairs(Evaluation score, int version) => score with
    {
        ExactMatch = null,
        RewardAccuracy = score.ExactMatch,
        RewardMargin = 0.125 * version,
        PerCategory = [.. score.PerCategory.Select(c => c with { ExactMatch = null, RewardAccuracy = c.ExactMatch, RewardMargin = 0.125 * version })],
    };

    public static IReadOnlyList<ArmFacts> Arms(string first = "fedit + ecolora") =>
    [
        Arm(first, Exchange.EcoLora, 0.93), Arm("fedit dense fp16", Exchange.DenseFp16, 1.0), Arm("fedit dense fp32", Exchange.DenseFp32, 1.005),
    ];

    private static ArmFacts Arm(string name, Exchange exchange, double speed)
    {
        var rounds = new List<RoundFacts>();
        var ledger = new List<LedgerRow>();
        for (int t = 0; t < Rounds; t++)
        {
            double? kA = exchange == Exchange.EcoLora ? 0.6 + (0.35 * Math.Exp(-0.33 * t)) : null;
            double? kB = exchange == Exchange.EcoLora ? 0.5 + (0.45 * Math.Exp(-0.6 * t)) : null;
            Participant[] participants = [.. Enumerable.Range(0, Participants).Select(slot => Sampled(t, slot, exchange))];
            rounds.Add(new RoundFacts(t, participants, 3.1 - (1.5 * Progress(t + 1, speed)), kA, kB, Score(t + 1, speed), 0.2 + 0.1 * Progress(t + 1, speed)));
            foreach (Participant participant in participants)
                ledger.Add(Frame(t, participant.Client, Direction.Up, participant.Segment ?? 0, exchange, kA ?? 1, kB ?? 1));
            for (int site = 0; site < 4; site++)
            {
                ledger.Add(Frame(t, Site(site), Direction.Down, LedgerRow.NoSegment, exchange, Math.Min(1, 1.25 * kA ?? 1), Math.Min(1, 1.3 * kB ?? 1)));
                ledger.Add(LedgerRow.Control(t, Site(site), Direction.ControlUp, 412 + (3 * site)));
                ledger.Add(LedgerRow.Control(t, Site(site), Direction.ControlDown, 655));
            }
        }
        return new ArmFacts(name, "fedit", exchange, A + B, exchange == Exchange.EcoLora ? Segments : 1, Score(0, speed), rounds, ledger, new string('a', 64));
    }

    private static Participant Sampled(int round, int slot, Exchange exchange)
    {
        int client = (2 * slot) + (int)(2 * Noise(round, slot));
        double loss = 3.1 - (1.5 * Progress(round, 1)) + (0.5 * (Noise(client, 77) - 0.5)) + (0.1 * Noise(round, client));
        bool refused = round == 6 && slot == 3 && exchange == Exchange.EcoLora;
        return new Participant(
            Client(client), Site(client % 4), slot, exchange == Exchange.EcoLora ? (slot + round) % Segments : 0, 160 + (int)(90 * Noise(client, 5)),
            refused ? double.NaN : loss,
            refused ? ParticipantStatus.Refused : ParticipantStatus.Accepted, refused ? "loss: expected a finite number, found NaN" : null);
    }

    private static LedgerRow Frame(int round, string client, Direction direction, int segment, Exchange exchange, double kA, double kB)
    {
        long share = direction == Direction.Up && exchange == Exchange.EcoLora ? Segments : 1;
        long entriesA = A / share, entriesB = B / share;
        long keptA = (long)(entriesA * kA), keptB = (long)(entriesB * kB);
        long kept = keptA + keptB;
        int width = exchange == Exchange.DenseFp32 ? 4 : 2;
        long coded = exchange == Exchange.EcoLora ? (kept * 17 / 8) + (kept / 9) : kept * width;
        long sparse = exchange == Exchange.EcoLora ? kept * (width + 4) : kept * width;
        long golomb = exchange == Exchange.EcoLora ? (kept * 37 / 16) + (kept / 9) : kept * width;
        return new LedgerRow(
            round, client, direction, segment, 4 * (A + B), 2 * (A + B), (entriesA + entriesB) * width, sparse, golomb, coded, coded + 96,
            keptA, entriesA, keptB, entriesB);
    }

    private static Evaluation Score(int version, double speed)
    {
        double progress = Progress(version, speed);
        double exact = Math.Round(400 * ((0.05 * (1 - progress)) + (0.61 * progress * progress))) / 400;
        return new Evaluation(
            400, 2.93 - (1.42 * progress), exact,
            [
                .. Categories.Select((category, i) => new CategoryScore(
                    category, i == 0 ? 58 : 57, 2.5 + (0.12 * i) - ((1.2 + (0.05 * i)) * progress), Math.Clamp(exact + (0.09 * (3 - i) * progress), 0, 1))),
            ]);
    }

    private static ClientData Share(int client)
    {
        int[] counts = [.. Categories.Select((_, i) => (int)(110 * Math.Pow(Noise(client, i + 11), 4)))];
        counts[client % Categories.Length] += 40;
        return new ClientData(Client(client), Site(client % 4), counts.Sum(), counts);
    }

    private static double Progress(int version, double speed) =>
        (speed * (1 - Math.Exp(-0.28 * version))) + (version == 0 ? 0 : 0.008 * (Noise(version, (int)(speed * 1000)) - 0.5));

    private static string Client(int client) => "client-" + client.ToString("00", CultureInfo.InvariantCulture);

    private static string Site(int site) => "site-" + site.ToString("00", CultureInfo.InvariantCulture);

    /// <summary>A fixed number in [0, 1) per pair.</summary>
    private static double Noise(int first, int second)
    {
        uint x = unchecked(((uint)first * 2654435761u) ^ ((uint)second * 2246822519u) ^ 0x9E3779B9u);
        x = unchecked((x ^ (x >> 15)) * 2246822519u);
        x = unchecked((x ^ (x >> 13)) * 3266489917u);
        return (x ^ (x >> 16)) / 4294967296.0;
    }
}
