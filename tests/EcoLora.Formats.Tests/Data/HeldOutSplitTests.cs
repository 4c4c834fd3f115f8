using EcoLora.Formats.Data;
using EcoLora.TestKit;
using static EcoLora.Formats.Tests.Data.PartitionTests;

namespace EcoLora.Formats.Tests.Data;

public class HeldOutSplitTests
{
    [Fact]
    public void Each_category_gives_its_share_by_largest_remainders()
    {
        // 10 of 60 + 25 + 15: shares 6, 2.5 and 1.5; one is left over and goes to the first of the equal remainders.
        HeldOutSplit split = HeldOutSplit.ByCount(Records(("a", 60), ("b", 25), ("c", 15)), 10, Stream(1));
        Assert.Equal([("a", 6), ("b", 3), ("c", 1)], split.HeldOut.CountBy(record => record.Category).Select(pair => (pair.Key, pair.Value)));
        Assert.Equal(90, split.Training.Count);
    }

    [Theory]
    [InlineData(0.1, 10)]
    [InlineData(0.0001, 1)]
    [InlineData(0.005, 1)]
    [InlineData(0.99, 99)]
    public void A_fraction_is_rounded_but_never_to_nothing(double fraction, int heldOut) =>
        Assert.Equal(heldOut, HeldOutSplit.ByFraction(Records(("a", 60), ("b", 40)), fraction, Stream(1)).HeldOut.Count);

    [Fact]
    public void Both_parts_keep_the_order_and_together_are_the_source()
    {
        Instruction[] source = Records(("a", 37), ("b", 11));
        HeldOutSplit split = HeldOutSplit.ByFraction(source, 0.25, Stream(1));
        Assert.Equal(source.Where(split.HeldOut.Contains), split.HeldOut);
        Assert.Equal(source.Except(split.HeldOut), split.Training);
        Assert.Equal(12, split.HeldOut.Count);
    }

    [Fact]
    public void The_seed_decides_and_nothing_else()
    {
        Instruction[] source = Records(("a", 100));
        Assert.Equal(HeldOutSplit.ByCount(source, 20, Stream(1)).HeldOut, HeldOutSplit.ByCount(source, 20, Stream(1)).HeldOut);
        Assert.NotEqual(HeldOutSplit.ByCount(source, 20, Stream(1)).HeldOut, HeldOutSplit.ByCount(source, 20, Stream(2)).HeldOut);
    }

    [Fact]
    public void Equal_prompts_stay_on_one_side_whatever_their_answers_and_categories()
    {
        Instruction[] source = [.. Enumerable.Range(0, 120).Select(i => new Instruction($"q{i % 40}", $"c{i % 20}", $"answer {i}", i % 3 == 0 ? "a" : "b"))];
        for (ulong seed = 0; seed < 20; seed++)
        {
            HeldOutSplit split = HeldOutSplit.ByCount(source, 30, Stream(seed));
            Assert.Empty(split.HeldOut.Select(Prompt).Intersect(split.Training.Select(Prompt)));
            Assert.InRange(split.HeldOut.Count, 24, 30);
            Assert.Equal(120, split.HeldOut.Count + split.Training.Count);
        }

        static (string, string) Prompt(Instruction record) => (record.Text, record.Context);
    }

    [Fact]
    public void A_split_that_leaves_one_side_empty_is_refused()
    {
        Assert.Equal(
            "held-out split: expected more than 5 records to hold 5 out, found 5",
            Assert.Throws<PartitionException>(() => HeldOutSplit.ByCount(Records(("a", 5)), 5, Stream(1))).Message);
        Assert.Throws<PartitionException>(() => HeldOutSplit.ByFraction(Records(("a", 1)), 0.5, Stream(1)));
        Instruction equal = Records(("a", 1))[0];
        Assert.Throws<PartitionException>(() => HeldOutSplit.ByCount([equal, equal, equal], 1, Stream(1)));
        Assert.Throws<ArgumentOutOfRangeException>(() => HeldOutSplit.ByCount(Records(("a", 5)), 0, Stream(1)));
        foreach (double fraction in (double[])[0, 1, -0.5, double.NaN])
            Assert.Throws<ArgumentOutOfRangeException>(() => HeldOutSplit.ByFraction(Records(("a", 5)), fraction, Stream(1)));
    }

    [Fact]
    public void Dolly_is_split_by_category()
    {
        InstructionDataSet dolly = InstructionFile.Read(SharedData.Path("instruction/databricks-dolly-15k.jsonl.gz"));
        HeldOutSplit split = HeldOutSplit.ByCount(dolly.Records, 320, Stream(1));
        Assert.InRange(split.HeldOut.Count, 318, 320);
        Assert.Equal(15_011, split.Training.Count + split.HeldOut.Count);
        // 320 · 3742 / 15011 = 79.8; a few equal prompts have different categories.
        Assert.InRange(split.HeldOut.Count(record => record.Category == "open_qa"), 78, 82);
    }
}
