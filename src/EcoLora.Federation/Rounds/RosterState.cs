using EcoLora.Codec;

namespace EcoLora.Federation;

/// <summary>What is known of a run before it opens: which trainers have enrolled, with which clients. A fold over the journal, without clock or I/O.</summary>
/// <param name="draft">The plan but for modules, roster and sites, which the trainers bring.</param>
/// <param name="clients">Number of clients of the run.</param>
public sealed class RosterState(RunPlan draft, int clients)
{
    private readonly SortedDictionary<(string Site, int Trainer), TrainerEnrolled> _trainers = new(TrainerOrder.Instance);
    private readonly SortedDictionary<int, EnrolledClient> _clients = [];
    private IReadOnlyList<LoraModule>? _modules;

    /// <summary>Trainers that have enrolled, by site and number.</summary>
    public IReadOnlyCollection<TrainerEnrolled> Trainers => _trainers.Values;

    /// <summary>Clients that no trainer has enrolled yet.</summary>
    public IEnumerable<int> Missing => Enumerable.Range(0, clients).Where(client => !_clients.ContainsKey(client));

    /// <summary>Why an enrolment does not count, or null when it does. The same enrolment again is no news and no fault: null, and <see cref="IsNews"/> is false.</summary>
    public string? Refusal(TrainerEnrolled report)
    {
        if (report.Run != draft.Run) return $"run: expected {draft.Run}, found {report.Run}";
        if (!RunPlan.IsName(report.Site) || report.Trainer < 0) return $"trainer: expected a site of a-z, 0-9 and - and a number, found {report.Site}/{report.Trainer}";
        if (report.Clients.Count == 0) return "clients: expected one or more, found none";
        if (report.Modules.Count == 0 || report.Modules.Any(module => module is null)) return "modules: expected one or more, found none";
        bool isKnown = _trainers.TryGetValue((report.Site, report.Trainer), out TrainerEnrolled? known);
        if (_modules is not null && !_modules.SequenceEqual(report.Modules)) return "modules: expected those of the trainers that enrolled before, found others";
        if (isKnown && !known!.Clients.SequenceEqual(report.Clients)) return "clients: expected what this trainer enrolled with first, found other clients or samples";
        var seen = new HashSet<int>();
        foreach (EnrolledClient client in report.Clients)
        {
            if (client is null || client.Client < 0 || client.Client >= clients) return $"client: expected 0 to {clients - 1}, found {client?.Client}";
            if (!seen.Add(client.Client)) return $"client {client.Client}: expected once, found twice";
            if (!isKnown && _clients.ContainsKey(client.Client)) return $"client {client.Client}: expected one that no other trainer hosts, found one that does";
            if (client.Samples < 1) return $"samples of client {client.Client}: expected 1 or more, found {client.Samples}";
            int rank = (draft with { Modules = report.Modules }).RankOf(client.Client);
            if (client.Rank != rank) return $"rank of client {client.Client}: expected {rank}, as its modules{(draft.Ranks is null ? "" : " or lora.ranks")} have, found {client.Rank}";
        }
        return _modules is null ? FaultOf(report.Modules) : null;
    }

    /// <summary>True when an enrolment tells something new.</summary>
    public bool IsNews(TrainerEnrolled report) => Refusal(report) is null && !_trainers.ContainsKey((report.Site, report.Trainer));

    /// <summary>Takes an enrolment in.</summary>
    public void Apply(TrainerEnrolled report)
    {
        _trainers.Add((report.Site, report.Trainer), report);
        _modules ??= report.Modules;
        foreach (EnrolledClient client in report.Clients) _clients.Add(client.Client, client);
    }

    /// <summary>
    /// The plan, once somebody can evaluate and every client is enrolled; with a deadline, as many as a round samples suffice. Null before. The sites of
    /// <paramref name="before"/> keep their numbers.
    /// </summary>
    /// <param name="before">With a deadline: the plan with which the run goes on; null comes back unless the roster has grown since.</param>
    /// <exception cref="ArgumentException">What the trainers brought makes no valid plan.</exception>
    public RunPlan? Plan(RunPlan? before = null)
    {
        if (_modules is null || _trainers.Values.FirstOrDefault(trainer => trainer.Evaluates) is not { } evaluator) return null;
        if (draft.Deadline is null ? Missing.Any() : _clients.Count < draft.Participants || _clients.Count == before?.Roster.Count) return null;
        ILookup<string, int> trainers = _trainers.Keys.ToLookup(key => key.Site, key => key.Trainer, StringComparer.Ordinal);
        IEnumerable<string> names = (before?.Places ?? []).Select(place => place.Name);
        SitePlace[] places = [.. names.Union(trainers.Select(site => site.Key), StringComparer.Ordinal).Select(site => new SitePlace(site, [.. trainers[site]]))];
        var sites = places.Select((place, site) => (place.Name, site)).ToDictionary(StringComparer.Ordinal);
        var hosts = _trainers.Values.SelectMany(trainer => trainer.Clients.Select(client => (client.Client, sites[trainer.Site]))).ToDictionary();
        RunPlan plan = draft with
        {
            Modules = _modules,
            Roster = [.. _clients.Values.Select(client => new Enrolment(client.Client, hosts[client.Client], client.Samples))],
            Places = places,
            Evaluator = before?.Evaluator ?? TrainerName(evaluator.Site, evaluator.Trainer),
        };
        plan.Validate();
        return plan;
    }

    /// <summary>True when a trainer has enrolled.</summary>
    public bool Has(string site, int trainer) => _trainers.ContainsKey((site, trainer));

    /// <summary>Clients of those of the trainers, by app id, in ascending order.</summary>
    public IReadOnlyList<int> ClientsOf(IReadOnlySet<string> trainers) =>
        [.. _trainers.Values.Where(trainer => trainers.Contains(TrainerName(trainer.Site, trainer.Trainer))).SelectMany(trainer => trainer.Clients.Select(client => client.Client)).Order()];

    /// <summary>Why there can be no plan with these modules, or null. The first trainer's are the run's: with others than these it would never open.</summary>
    private string? FaultOf(IReadOnlyList<LoraModule> modules)
    {
        try
        {
            (draft with { Modules = modules, Roster = [.. Enumerable.Range(0, clients).Select(client => new Enrolment(client, 0, 1))] }).Validate();
            return null;
        }
        catch (ArgumentException fault)
        {
            return fault.Message;
        }
    }

    /// <summary>App id of a trainer.</summary>
    public static string TrainerName(string site, int trainer) => $"trainer-{site}-{trainer}";

    private sealed class TrainerOrder : IComparer<(string Site, int Trainer)>
    {
        public static readonly TrainerOrder Instance = new();

        public int Compare((string Site, int Trainer) x, (string Site, int Trainer) y)
        {
            int order = string.CompareOrdinal(x.Site, y.Site);
            return order != 0 ? order : x.Trainer.CompareTo(y.Trainer);
        }
    }
}
