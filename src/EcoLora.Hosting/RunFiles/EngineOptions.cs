namespace EcoLora.Hosting;

/// <summary>On what models train and are scored.</summary>
/// <param name="Name"><see cref="Managed"/> or <see cref="Torch"/>.</param>
/// <param name="Precision">Of TorchSharp's base and activations: <c>float32</c> or <c>bfloat16</c>.</param>
/// <param name="Device">Of TorchSharp: <c>auto</c>, <c>cpu</c> or <c>cuda</c>. Each machine's own.</param>
public sealed record EngineOptions(string Name, string Precision, string Device)
{
    /// <summary>This project's kernels.</summary>
    public const string Managed = "managed";

    /// <summary>TorchSharp, where the build has it.</summary>
    public const string Torch = "torch";

    /// <summary>A choice of <see cref="Precision"/>.</summary>
    public const string Float32 = "float32", BFloat16 = "bfloat16";

    /// <summary>Choices of <see cref="Precision"/>, the usual one first.</summary>
    public static IReadOnlyList<string> Precisions { get; } = [Float32, BFloat16];

    /// <summary>Choices of <see cref="Device"/>, the usual one first.</summary>
    public static IReadOnlyList<string> Devices { get; } = ["auto", "cpu", "cuda"];
}
