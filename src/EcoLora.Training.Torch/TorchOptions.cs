namespace EcoLora.Training.Torch;

/// <summary>What a backend computes on.</summary>
public enum TorchDevice
{
    /// <summary>The first CUDA device where there is one, else the processor.</summary>
    Auto,

    /// <summary>The processor.</summary>
    Cpu,

    /// <summary>The first CUDA device; refused where there is none.</summary>
    Cuda,
}

/// <summary>How the base's weights and the activations are held; adapters, normalisations, losses and gradients of adapters are binary32 always.</summary>
public enum TorchPrecision
{
    /// <summary>binary32.</summary>
    Float32,

    /// <summary>bfloat16.</summary>
    BFloat16,
}

/// <summary>Options of a <see cref="TorchBackend"/>.</summary>
/// <param name="Device">Where it computes.</param>
/// <param name="Precision">In what.</param>
/// <param name="Threads">libtorch's threads on the processor, at least 1.</param>
public sealed record TorchOptions(TorchDevice Device = TorchDevice.Auto, TorchPrecision Precision = TorchPrecision.Float32, int Threads = 1);
