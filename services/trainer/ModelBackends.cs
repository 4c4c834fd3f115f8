using EcoLora.Hosting;
using EcoLora.Training;
#if TORCH
using System.Collections.Concurrent;
using EcoLora.Training.Torch;
#endif

namespace EcoLora.Services.Trainer;

/// <summary>The backends that this build has.</summary>
public static class ModelBackends
{
#if TORCH
    /// <summary>One for all runs of the process that ask for the same, so that a base is on the device once.</summary>
    private static readonly ConcurrentDictionary<TorchOptions, TorchBackend> s_torch = new();
#endif

    /// <summary>The backend that options name.</summary>
    /// <param name="engine">The options.</param>
    /// <param name="threads">The machine's threads.</param>
    /// <exception cref="ArgumentException">This build does not have it.</exception>
    /// <exception cref="ModelException">It has it, and the machine has not what it needs.</exception>
    public static IModelBackend Of(EngineOptions engine, int threads)
    {
        if (engine.Name == EngineOptions.Managed) return ManagedBackend.Instance;
#if TORCH
        var options = new TorchOptions(
            engine.Device switch { "cpu" => TorchDevice.Cpu, "cuda" => TorchDevice.Cuda, _ => TorchDevice.Auto },
            engine.Precision == EngineOptions.BFloat16 ? TorchPrecision.BFloat16 : TorchPrecision.Float32, threads);
        return s_torch.GetOrAdd(options, static found => new TorchBackend(found));
#else
        _ = threads;
        throw new ArgumentException($"engine: expected {EngineOptions.Managed}, which is all that this build has, found {engine.Name}; build with -p:Torch=cpu or -p:Torch=cuda (docs/torch.md)");
#endif
    }
}
