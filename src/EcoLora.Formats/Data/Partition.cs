using EcoLora.Numerics;

namespace EcoLora.Formats.Data;

/// <summary>
/// Which client holds which records: every record of the source is with exactly one client, and every client has data. The same records, options and
/// random stream give the same partition. A client's records are in the order of the source.
/// </summary>
public sealed class Partition
{
    private Partition(IReadOnlyList<IReadOnlyList<Instruction>> clients)
    {
        for (int client = 0; client < clients.Count; client++)
            if (clients[client].Count == 0)
                throw new PartitionException($"client {client}: expected at least 1 record, found none");
        Clients = clients;
    }

    /// <summary>Records of each client, by the client's number.</summary>
    public IReadOnlyList<IReadOnlyList<Instruction>> Clients { get; }

    /// <summary>Deals shuffled records evenly: the sizes of two clients differ by at most 1.</summary>
    /// <param name="records">The source.</param>
    /// <param name="clients">Number of clients, at least 1.</param>
    /// <param name="minimum">Fewest records of a client, at least 1.</param>
    /// <param name="random">Decides who gets what.</param>
    /// <exception cref="ArgumentOutOfRangeException">Clients or minimum below 1.</exception>
    /// <exception cref="PartitionException">Fewer than clients × minimum records.</exception>
    public static Partition Iid(IReadOnlyList<Instruction> records, int clients, int minimum, RandomStream random)
    {
        Check(records, clients, minimum);
        int[] order = [.. Enumerable.Range(0, records.Count)];
        random.Shuffle(order.AsSpan());
        return Of(records, Deal(order, clients));
    }

    /// <summary>
    /// Skews categories over clients: for each category c, proportions p_c ~ Dir(α, …, α) over the clients are drawn, and its shuffled records are cut at
    /// ⌊n_c · (p_c1 + … + p_cj)⌋ (Yurochkin et al., 2019; Li et al., NIID-Bench, 2022). Then a client below the minimum
    /// takes records, drawn at random, one by one from the client that has most (the lowest number among equals).
    /// </summary>
    /// <param name="records">The source.</param>
    /// <param name="clients">Number of clients, at least 1.</param>
    /// <param name="alpha">Concentration α &gt; 0: small is skewed, large is even.</param>
    /// <param name="minimum">Fewest records of a client, at least 1.</param>
    /// <param name="random">Decides who gets what.</param>
    /// <exception cref="ArgumentOutOfRangeException">Clients or minimum below 1, or α is not a positive number.</exception>
    /// <exception cref="PartitionException">Fewer than clients × minimum records.</exception>
    public static Partition Dirichlet(IReadOnlyList<Instruction> records, int clients, double alpha, int minimum, RandomStream random)
    {
        Check(records, clients, minimum);
        List<int>[] shares = [.. Enumerable.Range(0, clients).Select(_ => new List<int>())];
        foreach (CategoryIndex category in CategoryIndex.Of(records))
        {
            int[] order = [.. category.Records];
            random.Shuffle(order.AsSpan());
            double[] proportions = DrawProportions(clients, alpha, random);
            double cumulative = 0;
            for (int client = 0, start = 0; client < clients; client++)
            {
                cumulative += proportions[client];
                int end = client == clients - 1 ? order.Length : Math.Clamp((int)(cumulative * order.Length), start, order.Length);
                shares[client].AddRange(order[start..end]);
                start = end;
            }
        }
        Level(shares, minimum, random);
        return Of(records, shares);
    }

    /// <summary>
    /// Gives each client records of one category only. Every category has at least one client; further ones go, one by one, to the category with most
    /// records per client. The clients of a category share its shuffled records evenly; their numbers follow the order of the names.
    /// </summary>
    /// <param name="records">The source.</param>
    /// <param name="clients">Number of clients, at least the number of categories.</param>
    /// <param name="minimum">Fewest records of a client, at least 1.</param>
    /// <param name="random">Decides who gets what.</param>
    /// <exception cref="ArgumentOutOfRangeException">Clients or minimum below 1.</exception>
    /// <exception cref="PartitionException">More categories than clients, or a client would have less than the minimum.</exception>
    public static Partition ByCategory(IReadOnlyList<Instruction> records, int clients, int minimum, RandomStream random)
    {
        Check(records, clients, minimum);
        IReadOnlyList<CategoryIndex> categories = CategoryIndex.Of(records);
        if (categories.Count > clients)
        {
            throw new PartitionException(
                $"one category per client: expected at least {categories.Count} clients for {categories.Count} categories, found {clients}");
        }
        int[] sharers = new int[categories.Count];
        Array.Fill(sharers, 1);
        for (int spare = clients - categories.Count; spare > 0; spare--)
            sharers[Enumerable.Range(0, sharers.Length).MaxBy(c => (double)categories[c].Records.Length / sharers[c])]++;
        var shares = new List<IReadOnlyList<int>>();
        for (int c = 0; c < sharers.Length; c++)
        {
            int[] order = [.. categories[c].Records];
            random.Shuffle(order.AsSpan());
            shares.AddRange(Deal(order, sharers[c]));
            if (shares[^1].Count < minimum)
            {
                throw new PartitionException(
                    $"client {shares.Count - 1}: expected at least {minimum} records of category '{categories[c].Name}', found {shares[^1].Count}");
            }
        }
        return Of(records, shares);
    }

    private static void Check(IReadOnlyList<Instruction> records, int clients, int minimum)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(clients, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(minimum, 1);
        if (records.Count < (long)clients * minimum)
        {
            throw new PartitionException(
                $"partition: expected at least {clients} clients × {minimum} = {(long)clients * minimum} records, found {records.Count}");
        }
    }

    private static IReadOnlyList<int>[] Deal(int[] order, int clients) =>
        [.. Enumerable.Range(0, clients).Select(client => order[(int)((long)client * order.Length / clients)..(int)((client + 1L) * order.Length / clients)])];

    private static double[] DrawProportions(int clients, double alpha, RandomStream random)
    {
        double[] proportions = new double[clients];
        for (int client = 0; client < clients; client++) proportions[client] = random.NextGamma(alpha);
        double sum = proportions.Sum();
        // With a very small α every gamma can underflow; the limit of the distribution is then all for one client.
        if (!(sum > 0)) (proportions[random.NextInt32(clients)], sum) = (1, 1);
        for (int client = 0; client < clients; client++) proportions[client] /= sum;
        return proportions;
    }

    private static void Level(List<int>[] shares, int minimum, RandomStream random)
    {
        foreach (List<int> poor in shares)
        {
            while (poor.Count < minimum)
            {
                List<int> rich = shares.MaxBy(share => share.Count)!;
                int taken = random.NextInt32(rich.Count);
                poor.Add(rich[taken]);
                rich.RemoveAt(taken);
            }
        }
    }

    private static Partition Of(IReadOnlyList<Instruction> records, IEnumerable<IReadOnlyList<int>> shares) =>
        new([.. shares.Select(share => share.Order().Select(i => records[i]).ToArray())]);
}
