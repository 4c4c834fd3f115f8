using EcoLora.Codec;

namespace EcoLora.Federation.Tests;

public class RunPlanTests
{
    private static readonly RunPlan _plan = MadeUpPlan.Plan();

    public static TheoryData<string, string> BadOptions => new()
    {
        { "segments 0", "exchange.segments: expected 1 to 3 (federation.participants), so that every segment has a sender, found 0" },
        { "segments 4", "exchange.segments: expected 1 to 3 (federation.participants), so that every segment has a sender, found 4" },
        { "k_max 0", "exchange.k_max: expected in (0, 1], found 0" },
        { "k_max 1.5", "exchange.k_max: expected in (0, 1], found 1.5" },
        { "k_max NaN", "exchange.k_max: expected in (0, 1], found NaN" },
        { "k_min_a 0.99", "exchange.k_min_a: expected in (0, 0.95] (k_max), found 0.99" },
        { "k_min_b 0", "exchange.k_min_b: expected in (0, 0.95] (k_max), found 0" },
        { "gamma_a -1", "exchange.gamma_a: expected 0 or more, found -1" },
        { "gamma_b inf", "exchange.gamma_b: expected 0 or more, found Infinity" },
        { "beta NaN", "exchange.mixing_beta: expected 0 or more, or off, found NaN" },
        { "values 9", "exchange.values: expected one of Fp32, Fp16, Bf16, Int8, Int4, Sign, found 9" },
        { "coding 9", "exchange.coding: expected one of Entropy, Golomb, found 9" },
        { "feedback 1.5", "exchange.feedback: expected in [0, 1], or one_minus_mixing, found 1.5" },
        { "residuals 9", "exchange.residuals: expected one of Client, Site, found 9" },
    };

    [Theory]
    [MemberData(nameof(BadOptions))]
    public void A_bad_option_is_named_with_its_value_and_its_limit(string option, string message)
    {
        var good = new ExchangeOptions { Segments = 2 };
        ExchangeOptions bad = option switch
        {
            "segments 0" => good with { Segments = 0 },
            "segments 4" => good with { Segments = 4 },
            "k_max 0" => good with { KMax = 0 },
            "k_max 1.5" => good with { KMax = 1.5 },
            "k_max NaN" => good with { KMax = double.NaN },
            "k_min_a 0.99" => good with { KMinA = 0.99 },
            "k_min_b 0" => good with { KMinB = 0 },
            "gamma_a -1" => good with { GammaA = -1 },
            "gamma_b inf" => good with { GammaB = double.PositiveInfinity },
            "beta NaN" => good with { MixingBeta = double.NaN },
            "values 9" => good with { Values = (ValueMode)9 },
            "coding 9" => good with { Coding = (LosslessCoding)9 },
            "residuals 9" => good with { Residuals = (ResidualHolder)9 },
            _ => good with { Feedback = 1.5 },
        };
        Assert.Equal(message, Assert.Throws<ArgumentException>(() => bad.Validate(3)).Message);
    }

    [Theory]
    [InlineData("name", "name: expected 1 to 63 of a-z, 0-9 and -, found Run 1")]
    [InlineData("method", "federation.method: expected one of fedit, ffa-lora, flora, found 'x'")]
    [InlineData("rounds", "federation.rounds: expected 1 or more, found 0")]
    [InlineData("every", "evaluation.every: expected 1 or more, found 0")]
    [InlineData("clients", "federation.clients: expected 1 or more, found 0")]
    [InlineData("participants", "federation.participants: expected 1 to 6 (federation.clients), found 7")]
    [InlineData("order", "roster: expected client 0, found 5")]
    [InlineData("site", "site of client 0: expected 0 to 5, found 6")]
    [InlineData("samples", "samples of client 0: expected 1 or more, found 0")]
    [InlineData("no module", "lora modules: expected 1 or more, found 0")]
    [InlineData("rank", "rank of q: expected 1 or more, found 0")]
    [InlineData("shape", "shape of q: expected 1 or more rows and columns, found [4, 0]")]
    [InlineData("twice", "lora module: expected a name of its own, found q")]
    [InlineData("tiny", "exchange.segments: expected at most 2, the number of entries that are exchanged, found 3")]
    [InlineData("late", "exchange.residuals: expected client with federation.deadline, since an update may come after its round, found site")]
    public void A_bad_plan_says_what_is_wrong(string what, string message)
    {
        Enrolment first = _plan.Roster[0];
        RunPlan bad = what switch
        {
            "name" => _plan with { Run = "Run 1" },
            "method" => _plan with { Method = "x" },
            "rounds" => _plan with { Rounds = 0 },
            "every" => _plan with { EvaluateEvery = 0 },
            "clients" => _plan with { Roster = [] },
            "participants" => _plan with { Participants = 7 },
            "order" => _plan with { Roster = [.. _plan.Roster.Reverse()] },
            "site" => _plan with { Roster = [first with { Site = 6 }, .. _plan.Roster.Skip(1)] },
            "samples" => _plan with { Roster = [first with { Samples = 0 }, .. _plan.Roster.Skip(1)] },
            "no module" => _plan with { Modules = [] },
            "rank" => _plan with { Modules = [new LoraModule("q", 4, 6, 0)] },
            "shape" => _plan with { Modules = [new LoraModule("q", 4, 0, 2)] },
            "twice" => _plan with { Modules = [new LoraModule("q", 4, 6, 2), new LoraModule("q", 4, 6, 2)] },
            "late" => _plan with { Deadline = new DeadlineOptions(30, 0, 1), Exchange = ExchangePreset.EcoLoraPlus.Options },
            _ => _plan with { Modules = [new LoraModule("q", 1, 1, 1)], Exchange = new ExchangeOptions { Segments = 3 } },
        };
        Assert.Equal(message, Assert.Throws<ArgumentException>(bad.Validate).Message);
    }

    [Fact]
    public void The_defaults_are_those_of_the_paper_and_valid()
    {
        var defaults = new ExchangeOptions();
        Assert.Equal((5, 0.95, 0.6, 0.5), (defaults.Segments, defaults.KMax, defaults.KMinA, defaults.KMinB));
        defaults.Validate(5);
        ExchangeOptions.Dense(ValueMode.Fp32).Validate(1);
        _plan.Validate();
    }

    [Fact]
    public void Sites_are_counted_by_the_largest_number() => Assert.Equal(3, _plan.Sites);

    [Fact]
    public void Dense_exchange_sends_everything_every_round()
    {
        ExchangeOptions dense = ExchangeOptions.Dense(ValueMode.Fp16);
        Assert.Equal(1, AdaptiveDensity.Fraction(dense.KMinA, dense.KMax, dense.GammaA, 3, 2));
        Assert.Equal(0, Mixing.Weight(dense.MixingBeta, 5, 4));
        Assert.Equal(0, Mixing.FeedbackShare(dense.Feedback, 0));
    }
}
