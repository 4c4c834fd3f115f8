using System.Text.Json;
using System.Text.Json.Serialization;
using EcoLora.Codec;

namespace EcoLora.Federation;

/// <summary>A client as it enrolled: who hosts it, and the sample count that weighs it for the whole run.</summary>
/// <param name="Client">Number of the client.</param>
/// <param name="Site">Number of the site that hosts it.</param>
/// <param name="Samples">n_i &gt; 0.</param>
[JsonConverter(typeof(EnrolmentConverter))]
public sealed record Enrolment(int Client, int Site, int Samples);

/// <summary>A site of a run whose services are processes of their own.</summary>
/// <param name="Name">Its name, [a-z0-9-]{1,40}: its codec is <c>codec-name</c>.</param>
/// <param name="Trainers">Numbers of its trainers, ascending: <c>trainer-name-number</c>.</param>
public sealed record SitePlace(string Name, IReadOnlyList<int> Trainers);

/// <summary>
/// All that the four services need to know about one run; with the sites' data it decides every byte of the outcome. It travels in the
/// message that opens the run.
/// </summary>
/// <param name="Run">Name, unique on the hub: [a-z0-9-]{1,63}.</param>
/// <param name="Seed">Seed of every named random stream.</param>
/// <param name="Method">Name of a <see cref="FederatedMethod"/>.</param>
/// <param name="Rounds">T ≥ 1.</param>
/// <param name="Participants">N_t, 1..clients.</param>
/// <param name="EvaluateEvery">Rounds between evaluations of the published adapter; the first and the last version are always evaluated.</param>
/// <param name="Exchange">How segments travel.</param>
/// <param name="Modules">The modules that carry LoRA, in the order of the vector.</param>
/// <param name="Roster">The clients, by number: all of them in strict mode; with a deadline those that have enrolled so far.</param>
public sealed partial record RunPlan(
    string Run,
    ulong Seed,
    string Method,
    int Rounds,
    int Participants,
    int EvaluateEvery,
    ExchangeOptions Exchange,
    IReadOnlyList<LoraModule> Modules,
    IReadOnlyList<Enrolment> Roster)
{
    /// <summary>When a round closes without all of its participants; null in strict mode.</summary>
    public DeadlineOptions? Deadline { get; init; }

    /// <summary>The sites by number, as their trainers enrolled; null for a run in one process, whose sites have numbers only.</summary>
    public IReadOnlyList<SitePlace>? Places { get; init; }

    /// <summary>App id of the trainer that evaluates; null for a run in one process.</summary>
    public string? Evaluator { get; init; }

    /// <summary>The run file's options in their canonical form, for trainers and for the adapter's export; null for a run in one process.</summary>
    public JsonElement? Options { get; init; }

    /// <summary>Bytes that every message of the run has on the broker besides itself, such as a signature; 0 in one process. They count in the ledger.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public int Overhead { get; init; }

    /// <summary>Number of sites: one more than the largest site number.</summary>
    [JsonIgnore]
    public int Sites => Places?.Count ?? Roster.Max(enrolment => enrolment.Site) + 1;

    /// <summary>The run's key in frames.</summary>
    [JsonIgnore]
    public ulong Key => FrameHeader.KeyOf(Run);

    /// <summary>The method.</summary>
    [JsonIgnore]
    public FederatedMethod FederatedMethod => FederatedMethod.Named(Method);

    /// <summary>A client's enrolment, or null for one that has none.</summary>
    public Enrolment? FindEnrolment(int client)
    {
        // Numbers ascend, so a client stands at its number or, where others are missing, before it.
        for (int i = Math.Min(client, Roster.Count - 1); i >= 0 && Roster[i].Client >= client; i--)
            if (Roster[i].Client == client)
                return Roster[i];
        return null;
    }

    /// <summary>The enrolment of a client that has one, such as a participant.</summary>
    /// <exception cref="ArgumentException">It has none.</exception>
    public Enrolment EnrolmentOf(int client) => FindEnrolment(client) ?? throw new ArgumentException($"client {client}: expected one of the run's roster");

    /// <summary>Number of the site of that name, or null where the run has none such.</summary>
    public int? SiteOf(string name)
    {
        for (int site = 0; site < (Places?.Count ?? 0); site++)
            if (Places![site].Name == name)
                return site;
        return null;
    }

    /// <summary>Subscribers of the topic <c>rounds</c> at a site: its codec and its trainers.</summary>
    internal int SubscribersAt(int site) => 1 + (Places?[site].Trainers.Count ?? 1);

    /// <summary>Layout of the whole adapter, A and B of every module.</summary>
    public LoraLayout AdapterLayout() => LoraLayout.Of(Modules);

    /// <summary>Checks the plan as a whole.</summary>
    /// <exception cref="ArgumentException">What is wrong, with the option, its value and its limit.</exception>
    public void Validate()
    {
        ExchangeOptions.Require(IsName(Run), "name", Run, NameRule);
        _ = FederatedMethod;
        ExchangeOptions.Require(Rounds >= 1, "federation.rounds", Rounds, "1 or more");
        ExchangeOptions.Require(EvaluateEvery >= 1, "evaluation.every", EvaluateEvery, "1 or more");
        ExchangeOptions.Require(Roster.Count >= 1, "federation.clients", Roster.Count, "1 or more");
        ExchangeOptions.Require(Participants >= 1 && Participants <= Roster.Count, "federation.participants", Participants,
            $"1 to {Roster.Count} (federation.clients)");
        ExchangeOptions.Require(Overhead is >= 0 and <= 1024, "overhead", Overhead, "0 to 1024");
        Exchange.Validate(Participants);
        Deadline?.Validate(Participants, Exchange.Segments);
        CheckModules();
        CheckMerging();
        if (Places is not null) CheckPlaces(Places);
        int sites = Places?.Count ?? Roster.Count;
        for (int i = 0; i < Roster.Count; i++)
        {
            ExchangeOptions.Require(Roster[i] is not null, "roster", "null", $"client {i}");
            if (Deadline is null) ExchangeOptions.Require(Roster[i].Client == i, "roster", Roster[i].Client, $"client {i}");
            else ExchangeOptions.Require(Roster[i].Client > (i == 0 ? -1 : Roster[i - 1].Client), "roster", Roster[i].Client, "clients in ascending order, each once");
            ExchangeOptions.Require(Roster[i].Site >= 0 && Roster[i].Site < sites, $"site of client {i}", Roster[i].Site, $"0 to {sites - 1}");
            ExchangeOptions.Require(Roster[i].Samples >= 1, $"samples of client {i}", Roster[i].Samples, "1 or more");
        }
        ExchangeOptions.Require(Exchange.Residuals == ResidualHolder.Client || Deadline is null, "exchange.residuals", "site", "client with federation.deadline, since an update may come after its round");
        if (Exchange.Budget is { } budget) CheckBudget(budget);
    }

    /// <summary>What names a run or a site, in words.</summary>
    public const string NameRule = "1 to 63 of a-z, 0-9 and -";

    /// <summary>Whether a text may name a run or a site: 1 to 63 of a-z, 0-9 and -, so that it is safe in paths, keys and app ids.</summary>
    public static bool IsName(string? text) => text is { Length: >= 1 and <= 63 } && text.All(c => c is (>= 'a' and <= 'z') or (>= '0' and <= '9') or '-');

    private void CheckBudget(long budget)
    {
        ExchangeOptions.Require(!FederatedMethod.MergesIntoBase, "exchange.budget", budget, $"none with federation.method {Method}, whose downlink is the uploads as they are");
        ExchangeOptions.Require(Deadline is null, "exchange.budget", budget, "none with federation.deadline, since sites that come later download what they missed");
        long least = ByteBudget.Least(this);
        ExchangeOptions.Require(budget >= least, "exchange.budget", budget, $"at least {least} bytes, for {Rounds} rounds of {Participants} uploads and {Sites} downloads");
    }

    private static void CheckPlaces(IReadOnlyList<SitePlace> places)
    {
        ExchangeOptions.Require(places.Count >= 1, "sites", places.Count, "1 or more");
        var names = new HashSet<string>(StringComparer.Ordinal);
        foreach (SitePlace place in places)
            ExchangeOptions.Require(IsName(place?.Name) && place!.Trainers is { Count: >= 1 } && names.Add(place.Name), "site", place?.Name, "a name of its own, with trainers");
    }

    private void CheckModules()
    {
        ExchangeOptions.Require(Modules.Count >= 1, "lora modules", Modules.Count, "1 or more");
        var names = new HashSet<string>(StringComparer.Ordinal);
        foreach (LoraModule module in Modules)
        {
            ExchangeOptions.Require(module is not null, "lora modules", "null", "a module");
            ExchangeOptions.Require(!string.IsNullOrEmpty(module!.Name) && names.Add(module.Name), "lora module", module.Name, "a name of its own");
            ExchangeOptions.Require(module.Rank >= 1, $"rank of {module.Name}", module.Rank, "1 or more");
            ExchangeOptions.Require(module is { Outputs: >= 1, Inputs: >= 1 }, $"shape of {module.Name}", $"[{module.Outputs}, {module.Inputs}]",
                "1 or more rows and columns");
        }
        LoraLayout exchanged = ExchangedLayout();
        ExchangeOptions.Require(Exchange.Segments <= exchanged.MostSegments, "exchange.segments", Exchange.Segments,
            $"at most {exchanged.MostSegments}, the number of {(exchanged.IsCutAtModules ? "modules" : "entries")} that are exchanged");
    }
}
