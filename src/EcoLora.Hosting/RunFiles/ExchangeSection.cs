using EcoLora.Codec;
using EcoLora.Federation;

namespace EcoLora.Hosting;

/// <summary>Section <c>exchange</c> of a run file: its options, and the presets that fill them in.</summary>
internal static class ExchangeSection
{
    private const string Same = "same", Off = "off", OneMinusMixing = "one_minus_mixing";

    private static readonly (string Name, ResidualHolder Value)[] Holders = [("client", ResidualHolder.Client), ("site", ResidualHolder.Site)];

    private static readonly (string Name, ValueMode Value)[] ValueModes = [
        ("fp16", ValueMode.Fp16), ("bf16", ValueMode.Bf16), ("int8", ValueMode.Int8), ("int4", ValueMode.Int4), ("sign", ValueMode.Sign),
        ("fp32", ValueMode.Fp32),
    ];

    private static readonly (string Name, LosslessCoding Value)[] Codings = [("entropy", LosslessCoding.Entropy), ("golomb", LosslessCoding.Golomb)];

    private static readonly (string Name, CoverageScale Value)[] Scales =
        [("mean", CoverageScale.Mean), ("root_coverage", CoverageScale.RootCoverage), ("senders", CoverageScale.Senders)];

    private static readonly OptionType Share = new NumberOption(0, 1, Above: true), NotNegative = new NumberOption(0);

    /// <summary>Each option but the preset: its key, its values, where its default stands in the options, and what it does.</summary>
    private static readonly (string Key, OptionType Type, Func<ExchangeOptions, object> Of, string Description)[] Options =
    [
        ("segments", new IntegerOption(1, 65535), options => (long)options.Segments,
            "N_s: the adapter is cut into so many segments, and a participant uploads one of them per round; at most participants."),
        ("k_max", Share, options => options.KMax, "Share of entries kept at the start (Eq. 4)."),
        ("k_min_a", Share, options => options.KMinA, "Share of A's entries kept once the loss has fallen; at most k_max."),
        ("k_min_b", Share, options => options.KMinB, "Share of B's entries kept once the loss has fallen; at most k_max."),
        ("gamma_a", NotNegative, options => options.GammaA, "How fast A's share goes from k_max to k_min_a, per unit of loss."),
        ("gamma_b", NotNegative, options => options.GammaB, "How fast B's share goes from k_max to k_min_b, per unit of loss."),
        ("k_down", new NumberOption(0, 1, Above: true, Word: Same), options => options.KDown ?? (object)Same,
            "Share of entries kept on the downlink, of A and of B; same: as on the uplink."),
        ("dense_rounds", new IntegerOption(0), options => (long)options.DenseRounds, "First rounds in which every entry is kept, both ways."),
        ("mixing_beta", new NumberOption(0, Word: Off), options => options.MixingBeta ?? (object)Off,
            "A returning participant starts from the published adapter mixed with its own, which counts exp(-beta·rounds since it took part) (Eq. 3)."),
        ("feedback", new NumberOption(0, 1, Word: OneMinusMixing), options => options.Feedback ?? (object)OneMinusMixing,
            "Share of what was not sent that enters the next upload of its segment; one_minus_mixing: what mixing does not bring back."),
        ("residuals", Choice(Holders), options => NameOf(Holders, options.Residuals),
            "Whose upload that is: the client's own next one, or the next one of any client at its site, which comes sooner; not site with a deadline."),
        ("values", Choice(ValueModes), options => NameOf(ValueModes, options.Values),
            "How kept values are written. What rounding loses stays in the residual. int8 and int4: steps of a 127th or a 7th of a tensor's largest; "
                + "sign: one magnitude per tensor."),
        ("values_down", new ChoiceOption([Same, .. ValueModes.Select(pair => pair.Name)]), options => options.ValuesDown is { } down ? NameOf(ValueModes, down) : Same,
            "The same for the downlink; same: as on the uplink."),
        ("coding", Choice(Codings), options => NameOf(Codings, options.Coding),
            "entropy: the smallest of this codec's forms. golomb: the paper's coding, Golomb positions and values as they are."),
        ("sums", Choice(Scales), options => NameOf(Scales, options.Sums),
            "What the weighted sum of an entry is divided by: nothing (mean, Eq. 2), the root of the share of weights that sent it, or that share (the mean over its senders)."),
        ("server_momentum", new NumberOption(0, 1, Below: true), options => options.ServerMomentum,
            "m of V ← m·V + D, Q ← Q + V, which every receiver computes from the decoded change D; it costs no bytes."),
        ("budget", new ByteCountOption(Off), options => options.Budget ?? (object)Off,
            "Most bytes of all the run's frames, up and down, control messages not counted: never exceeded. The shares above then only say how it is divided; with values: sign nothing is gained above a 16th of dense FP16."),
        ("max_norm", new NumberOption(0, Above: true, Word: Off), options => options.MaxNorm ?? (object)Off,
            "Most that the Euclidean norm of what a participant sends may be, so that no site can outweigh all others: the aggregator refuses a larger one, and the round goes on without it."),
    ];

    /// <summary>The definitions, the preset first.</summary>
    public static IEnumerable<OptionDefinition> Definitions =>
    [
        new("exchange.preset", new ChoiceOption([.. ExchangePreset.All.Select(preset => preset.Name)]), ExchangePreset.EcoLora.Name,
            "An exchange by its name: the defaults of the options below (see Presets). An option that is given counts before the preset; --set exchange.preset replaces the file's whole section."),
        .. Options.Select(option => new OptionDefinition($"exchange.{option.Key}", option.Type, option.Of(ExchangePreset.EcoLora.Options), option.Description)),
    ];

    /// <summary>What each preset says.</summary>
    public static OptionPresets Presets { get; } = new("exchange.preset", ExchangePreset.All.ToDictionary(
        preset => preset.Name,
        preset => (IReadOnlyDictionary<string, object>)Options.ToDictionary(option => $"exchange.{option.Key}", option => option.Of(preset.Options))));

    /// <summary>The section's values as options.</summary>
    public static ExchangeOptions Map(OptionValues values) => new()
    {
        Segments = values.Integer("exchange.segments"),
        KMax = values.Number("exchange.k_max"),
        KMinA = values.Number("exchange.k_min_a"),
        KMinB = values.Number("exchange.k_min_b"),
        GammaA = values.Number("exchange.gamma_a"),
        GammaB = values.Number("exchange.gamma_b"),
        KDown = values.NumberOrNull("exchange.k_down"),
        DenseRounds = values.Integer("exchange.dense_rounds"),
        MixingBeta = values.NumberOrNull("exchange.mixing_beta"),
        Feedback = values.NumberOrNull("exchange.feedback"),
        Residuals = Named(Holders, values.Text("exchange.residuals")),
        Values = Named(ValueModes, values.Text("exchange.values")),
        ValuesDown = values.Text("exchange.values_down") is { } down && down != Same ? Named(ValueModes, down) : null,
        Coding = Named(Codings, values.Text("exchange.coding")),
        Sums = Named(Scales, values.Text("exchange.sums")),
        ServerMomentum = values.Number("exchange.server_momentum"),
        Budget = values.LongIntegerOrNull("exchange.budget"),
        MaxNorm = values.NumberOrNull("exchange.max_norm"),
    };

    private static ChoiceOption Choice<T>((string Name, T Value)[] pairs) => new([.. pairs.Select(pair => pair.Name)]);

    private static T Named<T>((string Name, T Value)[] pairs, string name) => pairs.First(pair => pair.Name == name).Value;

    private static string NameOf<T>((string Name, T Value)[] pairs, T value) => pairs.First(pair => Equals(pair.Value, value)).Name;
}
