using EcoLora.Formats.Data;
using EcoLora.Numerics;
using EcoLora.TestKit;

namespace EcoLora.Formats.Tests.Data;

public class PartitionTests
{
    [Theory]
    [InlineData(10, 3, new[] { 3, 3, 4 })]
    [InlineData(12, 4, new[] { 3, 3, 3, 3 })]
    [InlineData(3, 3, new[] { 1, 1, 1 })]
    public void Iid_deals_evenly(int records, int clients, int[] sizes)
    {
        Instruction[] source = Records(("a", records));
        Partition partition = Partition.Iid(source, clients, 1, Stream(1));
        Assert.Equal(sizes, partition.Clients.Select(client => client.Count).Order());
        AssertEveryRecordOnce(source, partition);
    }

    [Theory]
    [InlineData(0.05, 1)]
    [InlineData(0.5, 1)]
    [InlineData(0.5, 8)]
    [InlineData(100, 10)] // 200 records for 20 clients: the minimum leaves no choice but 10 each.
    public void Dirichlet_assigns_every_record_once_and_holds_the_minimum(double alpha, int minimum)
    {
        Instruction[] source = Records(("a", 90), ("b", 70), ("c", 40));
        for (ulong seed = 0; seed < 20; seed++)
        {
            Partition partition = Partition.Dirichlet(source, 20, alpha, minimum, Stream(seed));
            Assert.Equal(20, partition.Clients.Count);
            Assert.All(partition.Clients, client => Assert.True(client.Count >= minimum));
            AssertEveryRecordOnce(source, partition);
        }
    }

    [Fact]
    public void Dirichlet_cuts_each_category_where_the_drawn_proportions_say()
    {
        Instruction[] source = Records(("a", 1000), ("b", 500));
        RandomStream same = Stream(3);
        int[][] expected = new int[2][];
        foreach ((int column, int size) in new[] { (0, 1000), (1, 500) })
        {
            same.Shuffle(new int[size].AsSpan());
            double[] gammas = [same.NextGamma(0.5), same.NextGamma(0.5), same.NextGamma(0.5)];
            int first = (int)(gammas[0] / gammas.Sum() * size), second = (int)((gammas[0] + gammas[1]) / gammas.Sum() * size);
            expected[column] = [first, second - first, size - second];
        }
        Assert.All(expected, column => Assert.All(column, count => Assert.True(count > 0, "the seed must leave nothing to repair")));
        PartitionTable table = PartitionTable.Of(Partition.Dirichlet(source, 3, 0.5, 1, Stream(3)).Clients);
        for (int client = 0; client < 3; client++)
        {
            Assert.InRange(table.Counts[client][0], expected[0][client] - 1, expected[0][client] + 1);
            Assert.InRange(table.Counts[client][1], expected[1][client] - 1, expected[1][client] + 1);
        }
    }

    [Fact]
    public void A_small_alpha_skews_and_a_large_one_does_not()
    {
        Instruction[] source = Records(("a", 500), ("b", 500), ("c", 500), ("d", 500));
        Assert.True(Skew(0.1) > 0.6);
        Assert.True(Skew(1000) < 0.4);

        // Mean share of a client's largest category; 0.25 is even.
        double Skew(double alpha) => PartitionTable.Of(Partition.Dirichlet(source, 10, alpha, 1, Stream(5)).Clients)
            .Counts.Average(row => row.Max() / (double)row.Sum());
    }

    [Fact]
    public void A_vanishing_alpha_still_assigns_every_record()
    {
        Instruction[] source = Records(("a", 50), ("b", 50));
        AssertEveryRecordOnce(source, Partition.Dirichlet(source, 10, 1e-300, 2, Stream(1)));
    }

    [Fact]
    public void One_category_per_client_shares_by_size()
    {
        // a 60, b 30, c 10 over 6 clients: spare clients go to a (60), a (30 = b, first), a or b at 20 and 30: b. So 3, 2, 1.
        Instruction[] source = Records(("b", 30), ("a", 60), ("c", 10));
        Partition partition = Partition.ByCategory(source, 6, 1, Stream(1));
        PartitionTable table = PartitionTable.Of(partition.Clients);
        Assert.Equal(["a", "b", "c"], table.Categories);
        Assert.Equal([[20, 0, 0], [20, 0, 0], [20, 0, 0], [0, 15, 0], [0, 15, 0], [0, 0, 10]], table.Counts);
        AssertEveryRecordOnce(source, partition);
    }

    [Theory]
    [InlineData("iid")]
    [InlineData("dirichlet")]
    [InlineData("category")]
    public void The_seed_decides_and_nothing_else(string kind)
    {
        Instruction[] source = Records(("a", 100), ("b", 80));
        Assert.Equal(Make(7), Make(7));
        Assert.NotEqual(Make(7), Make(8));

        string Make(ulong seed) => string.Join('\n', (kind switch
        {
            "iid" => Partition.Iid(source, 6, 1, Stream(seed)),
            "dirichlet" => Partition.Dirichlet(source, 6, 0.5, 5, Stream(seed)),
            _ => Partition.ByCategory(source, 6, 1, Stream(seed)),
        }).Clients.Select(client => string.Join(' ', client.Select(record => record.Text))));
    }

    [Fact]
    public void Too_few_records_are_refused_with_the_numbers()
    {
        Instruction[] source = Records(("a", 19));
        Assert.Equal(
            "partition: expected at least 4 clients × 5 = 20 records, found 19",
            Assert.Throws<PartitionException>(() => Partition.Iid(source, 4, 5, Stream(1))).Message);
        Assert.Throws<PartitionException>(() => Partition.Dirichlet(source, 4, 0.5, 5, Stream(1)));
        Assert.Throws<PartitionException>(() => Partition.Iid([], 1, 1, Stream(1)));
    }

    [Fact]
    public void More_categories_than_clients_and_a_category_too_small_are_refused()
    {
        Instruction[] source = Records(("a", 50), ("b", 2), ("c", 9));
        Assert.Equal(
            "one category per client: expected at least 3 clients for 3 categories, found 2",
            Assert.Throws<PartitionException>(() => Partition.ByCategory(source, 2, 1, Stream(1))).Message);
        Assert.Equal(
            "client 1: expected at least 3 records of category 'b', found 2",
            Assert.Throws<PartitionException>(() => Partition.ByCategory(source, 3, 3, Stream(1))).Message);
    }

    [Fact]
    public void Options_out_of_range_are_refused()
    {
        Instruction[] source = Records(("a", 10));
        Assert.Throws<ArgumentOutOfRangeException>(() => Partition.Iid(source, 0, 1, Stream(1)));
        Assert.Throws<ArgumentOutOfRangeException>(() => Partition.Iid(source, 1, 0, Stream(1)));
        foreach (double alpha in (double[])[0, -1, double.NaN, double.PositiveInfinity])
            Assert.Throws<ArgumentOutOfRangeException>(() => Partition.Dirichlet(source, 2, alpha, 1, Stream(1)));
    }

    [Fact]
    public void Dolly_is_shared_out_over_a_hundred_clients()
    {
        InstructionDataSet dolly = InstructionFile.Read(SharedData.Path("instruction/databricks-dolly-15k.jsonl.gz"));
        PartitionTable table = PartitionTable.Of(Partition.Dirichlet(dolly.Records, 100, 0.5, 20, Stream(1)).Clients);
        Assert.Equal(8, table.Categories.Count);
        Assert.Equal(15_011, table.Counts.Sum(row => row.Sum()));
        Assert.Equal(3_742, table.Counts.Sum(row => row[table.Categories.ToList().IndexOf("open_qa")]));
        Assert.All(table.Counts, row => Assert.True(row.Sum() >= 20));
    }

    internal static Instruction[] Records(params (string Category, int Count)[] categories) =>
        [.. categories.SelectMany(category => Enumerable.Range(0, category.Count)
            .Select(i => new Instruction($"{category.Category}{i}", "", "yes", category.Category)))];

    internal static RandomStream Stream(ulong seed) => new(seed, "partition");

    private static void AssertEveryRecordOnce(IEnumerable<Instruction> source, Partition partition) =>
        Assert.Equal(source.Select(record => record.Text).Order(), partition.Clients.SelectMany(client => client).Select(record => record.Text).Order());
}
