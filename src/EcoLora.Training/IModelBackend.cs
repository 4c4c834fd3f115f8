namespace EcoLora.Training;

/// <summary>A model that can be scored and can generate, on whatever backend it lies.</summary>
public interface IDecoder
{
    /// <summary>The model's shape.</summary>
    LlamaConfig Config { get; }

    /// <summary>A pass for one thread that scores, without LoRA of its own.</summary>
    internal IModelPass<float> NewPass();

    /// <summary>A pass for one thread that generates.</summary>
    internal ICachedPass NewCachedPass();
}

/// <summary>Where models compute: the managed kernels, or TorchSharp in a project of its own (EcoLora.Training.Torch).</summary>
public interface IModelBackend
{
    /// <summary>The model with an adapter, to be scored and to generate.</summary>
    /// <param name="model">The base.</param>
    /// <param name="lora">The adapter's shape.</param>
    /// <param name="adapter">One vector of the options' layout.</param>
    IDecoder Tuned(LlamaModel model, LoraOptions lora, ReadOnlySpan<float> adapter);

    /// <summary>The model as it is.</summary>
    IDecoder Plain(LlamaModel model);

    /// <summary>How many of a job's threads run passes of their own; the others work inside one.</summary>
    /// <param name="threads">The job's threads.</param>
    int Passes(int threads);

    /// <summary>Rows that a group of examples is filled up to: enough for the products to run at full speed.</summary>
    internal int GroupRows { get; }

    /// <summary>A pass for one thread that trains.</summary>
    internal IModelPass<float> NewTrainingPass(LlamaModel model, LoraPlan lora, bool recomputesLayers);
}

/// <summary>The managed kernels: a pass per thread, 32-bit activations, the same bits for any number of threads.</summary>
public sealed class ManagedBackend : IModelBackend
{
    /// <summary>Rows of a group.</summary>
    internal const int GroupRows = 256;

    private ManagedBackend()
    {
    }

    /// <summary>The one there is.</summary>
    public static ManagedBackend Instance { get; } = new();

    int IModelBackend.GroupRows => GroupRows;

    /// <inheritdoc/>
    public IDecoder Tuned(LlamaModel model, LoraOptions lora, ReadOnlySpan<float> adapter) => model.WithAdapter(lora, adapter);

    /// <inheritdoc/>
    public IDecoder Plain(LlamaModel model) => model;

    /// <inheritdoc/>
    public int Passes(int threads) => threads;

    IModelPass<float> IModelBackend.NewTrainingPass(LlamaModel model, LoraPlan lora, bool recomputesLayers) =>
        new LlamaPass<float>(model.Weights, lora, recomputesLayers ? PassMemory.Inputs : PassMemory.All);
}
