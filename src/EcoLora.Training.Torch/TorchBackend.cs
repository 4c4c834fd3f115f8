using System.Reflection;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using TorchSharp;
using static TorchSharp.torch;

namespace EcoLora.Training.Torch;

/// <summary>
/// Models on libtorch's kernels, on the processor or on a CUDA device. It brings passes only: order, optimiser, schedule and losses of pairs are EcoLora.Training's own. One pass at a
/// time computes, with all of the device.
/// </summary>
public sealed class TorchBackend : IModelBackend
{
    private readonly ConditionalWeakTable<LlamaModel, TorchModel> _models = [];
    private readonly Lock _lock = new();
    private readonly int _groupRows;

    /// <summary>Loads libtorch and finds the device.</summary>
    /// <exception cref="ModelException">libtorch cannot be loaded, or CUDA was asked for and is not there.</exception>
    public TorchBackend(TorchOptions options)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(options.Threads, 1);
        LoadLibrary();
        try
        {
            bool hasCuda = options.Device != TorchDevice.Cpu && cuda.is_available();
            if (options.Device == TorchDevice.Cuda && !hasCuda)
                throw new ModelException("torch.device: expected a CUDA device, found none; a build with -p:Torch=cuda and NVIDIA's driver are needed (docs/torch.md)");
            Device = hasCuda ? torch.CUDA : torch.CPU;
            set_num_threads(options.Threads);
        }
        catch (Exception unloadable) when (unloadable is TypeInitializationException or NotSupportedException or DllNotFoundException)
        {
            throw Unloadable((unloadable.InnerException ?? unloadable).Message.Split('\n')[0]);
        }
        Precision = options.Precision == TorchPrecision.BFloat16 ? ScalarType.BFloat16 : ScalarType.Float32;
        // A device wants more rows at a time than a processor's caches.
        _groupRows = Device.type == DeviceType.CUDA ? 8192 : 512;
    }

    int IModelBackend.GroupRows => _groupRows;

    internal Device Device { get; }

    internal ScalarType Precision { get; }

    /// <summary>One pass at a time: what is on the device while it computes is that of one.</summary>
    internal Lock Turn { get; } = new();

    /// <inheritdoc/>
    public IDecoder Tuned(LlamaModel model, LoraOptions lora, ReadOnlySpan<float> adapter)
    {
        var plan = new LoraPlan(model.Config, lora);
        plan.Expect(adapter.Length);
        return new TorchDecoder(this, Of(model), plan, adapter.ToArray());
    }

    /// <inheritdoc/>
    public IDecoder Plain(LlamaModel model) => new TorchDecoder(this, Of(model), null, []);

    /// <inheritdoc/>
    public int Passes(int threads) => 1;

    IModelPass<float> IModelBackend.NewTrainingPass(LlamaModel model, LoraPlan lora, bool recomputesLayers) => new TorchPass(this, Of(model), lora, null, recomputesLayers);

    /// <summary>Loads the processor's library as TorchSharp would, but says why it cannot be: TorchSharp copies half a gigabyte to try again, and writes pages about it.</summary>
    private static void LoadLibrary()
    {
        Assembly torchSharp = typeof(torch).Assembly;
        // A CUDA build has libraries to load before this one, which TorchSharp knows.
        if (NativeLibrary.TryLoad("torch_cuda", torchSharp, null, out _) || !NativeLibrary.TryLoad("torch_cpu", torchSharp, null, out _)) return;
        try
        {
            NativeLibrary.Load("LibTorchSharp", torchSharp, null);
        }
        catch (DllNotFoundException missing)
        {
            string[] lines = missing.Message.Split('\n');
            throw Unloadable(lines.FirstOrDefault(line => line.Contains("GLIBC", StringComparison.Ordinal)) ?? lines[0]);
        }
    }

    private static ModelException Unloadable(string why) =>
        new($"engine: expected to load libtorch, found that it cannot be: {why.Trim()}; on Linux it needs a libstdc++ of GCC 13 or later (docs/torch.md)");

    /// <summary>The model on the device: loaded once while somebody has it, and tensors that another one there shares with it are not loaded again.</summary>
    private TorchModel Of(LlamaModel model)
    {
        lock (_lock)
        {
            if (_models.TryGetValue(model, out TorchModel? loaded)) return loaded;
            loaded = TorchModel.Load(model, this, [.. _models]);
            _models.Add(model, loaded);
            return loaded;
        }
    }

    private sealed class TorchDecoder(TorchBackend backend, TorchModel model, LoraPlan? plan, float[] adapter) : IDecoder
    {
        public LlamaConfig Config => model.Config;

        IModelPass<float> IDecoder.NewPass() => new TorchPass(backend, model, plan, adapter, recomputesLayers: false);

        ICachedPass IDecoder.NewCachedPass() => new TorchCachedPass(backend, model, plan, adapter);
    }
}
