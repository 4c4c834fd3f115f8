using EcoLora.Codec;

namespace EcoLora.Local.Bench;

/// <summary>The layouts whose frames are mutated; a finding names one by its number.</summary>
internal static class FuzzLayouts
{
    /// <summary>Number of the layout that is large enough for 128 lanes by the writer's choice.</summary>
    public const int Large = 6;

    /// <summary>Small ones, ones of several blocks, one of many tensors, and two of one role.</summary>
    public static IReadOnlyList<LoraLayout> All { get; } =
    [
        Of((4, 6, 2), (3, 5, 2)),
        Of((40, 24, 4), (17, 33, 3)),
        Of((700, 300, 4)),
        Of([.. Enumerable.Repeat((5, 7, 1), 12)]),
        Of((2300, 1, 1)).Only(LoraRole.B),
        Of((4096, 512, 4)),
        Of((8192, 1, 16)).Only(LoraRole.B),
    ];

    /// <summary>A layout on one line.</summary>
    public static string Describe(LoraLayout layout) =>
        string.Join(", ", layout.Tensors.Select(tensor => $"{tensor.Module} {tensor.Role} {tensor.Rows} {tensor.Columns}"));

    private static LoraLayout Of(params IReadOnlyList<(int Outputs, int Inputs, int Rank)> modules) =>
        LoraLayout.Of(modules.Select((module, i) => new LoraModule($"m{i}", module.Outputs, module.Inputs, module.Rank)));
}
