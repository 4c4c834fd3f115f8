using EcoLora.Codec;

namespace EcoLora.Federation;

/// <summary>An exchange that has a name: ours, or a published one to compare with. All go through the same codec and the same ledger.</summary>
/// <param name="Name">Name in run files.</param>
/// <param name="Description">What it is, in a sentence.</param>
/// <param name="Options">Its options.</param>
public sealed record ExchangePreset(string Name, string Description, ExchangeOptions Options)
{
    /// <summary>The paper's exchange with the paper's settings.</summary>
    public static ExchangePreset EcoLora { get; } = new("ecolora",
        "The paper: round-robin segments, adaptive top-k with error feedback, mixing, FP16 values.", new ExchangeOptions());

    /// <summary>
    /// Beyond the paper: signs of the largest entries both ways, after a few rounds with all signs; what a site's participants did not send, the next of its clients sends; and the server's momentum
    /// after the lossy step. How it was found: docs/results.md.
    /// </summary>
    public static ExchangePreset EcoLoraPlus { get; } = new("ecolora+",
        "Beyond the paper: whole adapters as signs of their largest entries, residuals of sites, and the server's momentum after the lossy step.",
        ExchangeOptions.Fixed(0.07, ValueMode.Sign) with { DenseRounds = 3, Feedback = 0.8, Residuals = ResidualHolder.Site, ServerMomentum = 0.2 });

    /// <summary>Whole adapters in FP16.</summary>
    public static ExchangePreset DenseFp16 { get; } = new("dense-fp16", "Whole adapters in FP16.", ExchangeOptions.Dense(ValueMode.Fp16));

    /// <summary>Whole adapters in FP32.</summary>
    public static ExchangePreset DenseFp32 { get; } = new("dense-fp32", "Whole adapters in FP32.", ExchangeOptions.Dense(ValueMode.Fp32));

    /// <summary>All of them.</summary>
    public static IReadOnlyList<ExchangePreset> All { get; } =
    [
        EcoLora,
        EcoLoraPlus,
        DenseFp16,
        DenseFp32,
        new("dense-int8", "Whole adapters' changes in 8 bits, one step per tensor; what rounding loses on the uplink is lost, on the downlink the server keeps it.", ExchangeOptions.Dense(ValueMode.Int8)),
        new("dense-int4", "The same in 4 bits.", ExchangeOptions.Dense(ValueMode.Int4)),
        new("top-k", "A fixed quarter of the entries in FP16, both ways, with error feedback (FLASC's setting).",
            ExchangeOptions.Fixed(0.25, ValueMode.Fp16) with { Feedback = 1 }),
    ];

    /// <summary>True for the product's own exchanges, false for what they are compared with.</summary>
    public bool IsOurs => this == EcoLora || this == EcoLoraPlus;

    /// <summary>The preset of that name.</summary>
    /// <exception cref="ArgumentException">There is none: the name, and the known ones.</exception>
    public static ExchangePreset Named(string name) => All.FirstOrDefault(preset => preset.Name == name)
        ?? throw new ArgumentException($"exchange.preset: expected one of {string.Join(", ", All.Select(preset => preset.Name))}, found '{name}'");

    /// <summary>How an arm of a run is called, such as <c>fedit + ecolora</c> or <c>fedit dense fp16</c>.</summary>
    /// <param name="method">The method's name.</param>
    public string LabelOf(string method) => IsOurs ? $"{method} + {Name}" : $"{method} {Name.Replace("dense-", "dense ", StringComparison.Ordinal)}";

    /// <summary>The name where only a-z, 0-9 and - may stand, such as in a run's name.</summary>
    public string Slug => Name.Replace("+", "-plus", StringComparison.Ordinal);
}
