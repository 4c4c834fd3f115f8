namespace EcoLora.Federation.Tests;

public class RoundRobinScheduleTests
{
    [Theory]
    [InlineData(0, 0, 0)]
    [InlineData(4, 0, 4)]
    [InlineData(5, 0, 0)]
    [InlineData(3, 4, 2)]
    [InlineData(9, int.MaxValue, 1)] // (9 + 2147483647) mod 5, beyond 32 bits.
    public void The_segment_is_slot_plus_round_modulo_Ns(int slot, int round, int segment) =>
        Assert.Equal(segment, RoundRobinSchedule.SegmentOf(slot, round, 5));

    [Fact]
    public void Every_segment_is_covered_in_every_round_when_there_are_as_many_participants()
    {
        for (int segments = 1; segments <= 7; segments++)
            for (int participants = segments; participants <= 10; participants++)
                for (int round = 0; round < 25; round++)
                {
                    var sent = Enumerable.Range(0, participants).Select(slot => RoundRobinSchedule.SegmentOf(slot, round, segments));
                    int[] coverage = Aggregation.Coverage(sent, segments);
                    Assert.All(coverage, count => Assert.InRange(count, participants / segments, (participants + segments - 1) / segments));
                }
    }

    [Fact]
    public void A_slot_sends_every_segment_once_in_Ns_rounds() =>
        Assert.Equal([3, 4, 0, 1, 2], Enumerable.Range(0, 5).Select(round => RoundRobinSchedule.SegmentOf(3, round, 5)));

    [Fact]
    public void The_sampled_clients_are_distinct_ascending_and_decided_by_seed_and_round()
    {
        for (int round = 0; round < 50; round++)
        {
            int[] sampled = RoundRobinSchedule.Sample(7, round, Enumerable.Range(0, 100), 10);
            Assert.Equal(10, sampled.Length);
            Assert.Equal(sampled.Distinct().Order(), sampled);
            Assert.All(sampled, client => Assert.InRange(client, 0, 99));
            Assert.Equal(sampled, RoundRobinSchedule.Sample(7, round, Enumerable.Range(0, 100), 10));
        }
        Assert.NotEqual(RoundRobinSchedule.Sample(7, 0, Enumerable.Range(0, 100), 10), RoundRobinSchedule.Sample(8, 0, Enumerable.Range(0, 100), 10));
        Assert.NotEqual(RoundRobinSchedule.Sample(7, 0, Enumerable.Range(0, 100), 10), RoundRobinSchedule.Sample(7, 1, Enumerable.Range(0, 100), 10));
    }

    [Fact]
    public void All_clients_take_part_when_as_many_are_asked_for() => Assert.Equal(Enumerable.Range(0, 9), RoundRobinSchedule.Sample(1, 3, Enumerable.Range(0, 9), 9));

    /// <summary>4000 rounds of 5 of 20: each client is expected 1000 times, each pair 4000·(5·4)/(20·19) ≈ 210.5 times.</summary>
    [Fact]
    public void Every_client_and_every_pair_is_sampled_equally_often()
    {
        int[] counts = new int[20];
        int[,] pairs = new int[20, 20];
        for (int round = 0; round < 4000; round++)
        {
            int[] sampled = RoundRobinSchedule.Sample(3, round, Enumerable.Range(0, 20), 5);
            foreach (int client in sampled)
            {
                counts[client]++;
                foreach (int other in sampled) pairs[client, other]++;
            }
        }
        Assert.All(counts, count => Assert.InRange(count, 1000 - 110, 1000 + 110)); // 4 standard deviations of √(4000·¼·¾) = 27.4.
        for (int i = 0; i < 20; i++) for (int j = 0; j < i; j++) Assert.InRange(pairs[i, j], 210 - 65, 210 + 65);
    }

    /// <summary>Golden: tools/golden/codec_sampling.py, an independent implementation.</summary>
    [Fact]
    public void The_sample_never_changes() => Assert.Equal([28, 29, 42, 48, 54, 58, 73, 92, 95, 99], RoundRobinSchedule.Sample(42, 0, Enumerable.Range(0, 100), 10));
}
