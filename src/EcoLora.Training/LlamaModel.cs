using EcoLora.Formats.HuggingFace;
using EcoLora.Formats.Safetensors;
using EcoLora.Numerics;

namespace EcoLora.Training;

/// <summary>Delivers a tensor, row-major, in whatever format it is stored in; throws when there is none of this name and shape.</summary>
/// <param name="tensor">Its Hugging Face name, such as <c>model.norm.weight</c>, and shape.</param>
public delegate WeightMemory<float> WeightSource(ParameterTensor tensor);

/// <summary>
/// A decoder with its frozen weights, as they are stored: those of a folder stay in the mapped files, in 16 bits where the files have 16 bits, and are widened
/// where a kernel reads them. Never changed after it was made, so any number of threads may share it.
/// </summary>
public sealed class LlamaModel : IDecoder
{
    private readonly WeightMemory<float>[] _tensors;

    private LlamaModel(LlamaConfig config, ParameterLayout layout, WeightMemory<float>[] tensors)
    {
        Config = config;
        Layout = layout;
        _tensors = tensors;
        Weights = new LlamaWeights<float>(config, layout, tensors);
    }

    /// <summary>The model's shape.</summary>
    public LlamaConfig Config { get; }

    /// <summary>Names, shapes and order of the tensors.</summary>
    public ParameterLayout Layout { get; }

    internal LlamaWeights<float> Weights { get; }

    IModelPass<float> IDecoder.NewPass() => new LlamaPass<float>(Weights, lora: null, PassMemory.None);

    ICachedPass IDecoder.NewCachedPass() => new CachedPass(this);

    /// <summary>Takes all tensors from a source.</summary>
    /// <exception cref="ModelException">The config is invalid, or a weight is not finite.</exception>
    public static LlamaModel Load(LlamaConfig config, WeightSource source)
    {
        ParameterLayout layout = ParameterLayout.Of(config);
        var tensors = new WeightMemory<float>[layout.Tensors.Count];
        for (int i = 0; i < tensors.Length; i++)
        {
            ParameterTensor tensor = layout.Tensors[i];
            tensors[i] = source(tensor);
            if (tensors[i].Length != tensor.Length)
                throw new ModelException($"tensor '{tensor.Name}': expected {tensor.Length} weights, found {tensors[i].Length}");
            if (!tensors[i].IsFinite()) throw new ModelException($"tensor '{tensor.Name}': expected finite weights, found NaN or infinity");
        }
        return new LlamaModel(config, layout, tensors);
    }

    /// <summary>
    /// Maps a Hugging Face folder, which has checked names, shapes and lengths when it was opened; shards and F32, F16, BF16 alike. The folder may be disposed
    /// afterwards; its files must not be shortened or overwritten while the model is in use.
    /// </summary>
    /// <exception cref="ModelException">The model is larger than this engine holds, or a weight is not finite.</exception>
    /// <exception cref="SafetensorsException">A tensor cannot be read.</exception>
    public static LlamaModel Load(ModelFolder folder) => Load(LlamaConfig.Of(folder.Config), tensor => folder.Map(tensor.Name, [.. tensor.Shape]));

    /// <summary>
    /// A model to be trained from scratch: weights normal with standard deviation 0.02, those of the two layers that end in the residual stream divided by
    /// √(2·layers) (Radford et al., GPT-2, 2019), gains 1, biases 0.
    /// </summary>
    /// <exception cref="ModelException">The config is invalid.</exception>
    public static LlamaModel Random(LlamaConfig config, RandomStream stream)
    {
        ParameterLayout layout = ParameterLayout.Of(config);
        float[] parameters = GC.AllocateUninitializedArray<float>(layout.VectorLength());
        double residual = 0.02 / Math.Sqrt(2.0 * config.Layers);
        foreach (ParameterTensor tensor in layout.Tensors)
        {
            Span<float> destination = tensor.In(parameters.AsSpan());
            bool endsInResidual = tensor.Name.EndsWith("o_proj.weight", StringComparison.Ordinal)
                || tensor.Name.EndsWith("down_proj.weight", StringComparison.Ordinal);
            if (tensor.IsVector) destination.Fill(tensor.Name.EndsWith(".bias", StringComparison.Ordinal) ? 0 : 1);
            else foreach (ref float weight in destination) weight = (float)(stream.NextGaussian() * (endsInResidual ? residual : 0.02));
        }
        return Of(config, layout, parameters);
    }

    /// <summary>The model whose weights lie in one vector of its <see cref="ParameterLayout"/>; the vector must not change any more.</summary>
    /// <exception cref="ArgumentException">The vector has not the layout's length.</exception>
    public static LlamaModel Of(LlamaConfig config, ReadOnlyMemory<float> parameters)
    {
        ParameterLayout layout = ParameterLayout.Of(config);
        if (parameters.Length != layout.Length)
            throw new ArgumentException($"parameters: expected {layout.Length}, found {parameters.Length}", nameof(parameters));
        return Of(config, layout, parameters);
    }

    /// <summary>A tensor's weights, row-major.</summary>
    /// <param name="index">Its index in the layout.</param>
    public WeightMemory<float> Tensor(int index) => _tensors[index];

    /// <summary>All tensors under their Hugging Face names, to be saved with <see cref="ModelFolder.Save"/>; views, or widened copies of 16-bit weights.</summary>
    public IReadOnlyList<SafetensorsTensor> Tensors()
        => [.. Layout.Tensors.Select((tensor, i) => new SafetensorsTensor(tensor.Name, tensor.Shape, _tensors[i].Widened()))];

    /// <summary>All weights in one vector of the layout: a copy, to be trained.</summary>
    /// <exception cref="ModelException">The model has more than 2,147,483,591 parameters.</exception>
    public float[] CopyParameters()
    {
        float[] parameters = GC.AllocateUninitializedArray<float>(Layout.VectorLength());
        for (int i = 0; i < _tensors.Length; i++) _tensors[i].Span.CopyTo(Layout.Tensors[i].In(parameters.AsSpan()));
        return parameters;
    }

    /// <summary>
    /// The model with W + s·B·A in the place of W: what evaluation and generation run on. It shares the other weights, so it costs 4 bytes per weight of the
    /// targets.
    /// </summary>
    /// <param name="options">The adapter's shape.</param>
    /// <param name="adapter">One vector of the options' layout.</param>
    /// <exception cref="ArgumentException">The vector has not the layout's length.</exception>
    public LlamaModel WithAdapter(LoraOptions options, ReadOnlySpan<float> adapter)
    {
        var lora = new LoraPlan(Config, options);
        lora.Expect(adapter.Length);
        var tensors = (WeightMemory<float>[])_tensors.Clone();
        for (int layer = 0; layer < Config.Layers; layer++)
        {
            for (var kind = LinearKind.Query; kind <= LinearKind.Down; kind++)
            {
                if (lora[layer, kind] is not { } pair) continue;
                int index = Layout.WeightOf(layer, kind);
                float[] merged = GC.AllocateUninitializedArray<float>(_tensors[index].Length);
                _tensors[index].Span.CopyTo(merged);
                float[] scaled = pair.B.In(adapter).ToArray();
                VectorMath.Scale((float)options.Scale, scaled.AsSpan());
                MatMul.InputGradient<float>(scaled, pair.A.In(adapter), merged, pair.B.Rows, pair.A.Columns, options.Rank, accumulate: true);
                tensors[index] = new WeightMemory<float>(merged);
            }
        }
        return new LlamaModel(Config, Layout, tensors);
    }

    /// <summary>The model with W + ΔW in the place of W of the targets, in binary32; it shares the other weights. What FLoRA's rounds train and evaluate on.</summary>
    /// <param name="options">Says which layers are targets.</param>
    /// <param name="change">ΔW of every target in the order of the options' layout, each [outputs, inputs] row-major.</param>
    /// <exception cref="ArgumentException">The change has another length.</exception>
    public LlamaModel WithChange(LoraOptions options, ReadOnlySpan<float> change)
    {
        var tensors = (WeightMemory<float>[])_tensors.Clone();
        int at = 0;
        for (int layer = 0; layer < Config.Layers; layer++)
        {
            for (var kind = LinearKind.Query; kind <= LinearKind.Down; kind++)
            {
                if (!options.Carries(kind)) continue;
                int index = Layout.WeightOf(layer, kind), length = _tensors[index].Length;
                if (length > change.Length - at) throw new ArgumentException($"change: expected at least {at + (long)length} entries, found {change.Length}", nameof(change));
                float[] merged = GC.AllocateUninitializedArray<float>(length);
                _tensors[index].Span.CopyTo(merged);
                ReadOnlySpan<float> added = change.Slice(at, length);
                for (int i = 0; i < merged.Length; i++) merged[i] += added[i];
                tensors[index] = new WeightMemory<float>(merged);
                at += length;
            }
        }
        if (at != change.Length) throw new ArgumentException($"change: expected {at} entries, found {change.Length}", nameof(change));
        return new LlamaModel(Config, Layout, tensors);
    }

    private static LlamaModel Of(LlamaConfig config, ParameterLayout layout, ReadOnlyMemory<float> parameters)
        => new(config, layout, [.. layout.Tensors.Select(tensor => new WeightMemory<float>(parameters.Slice((int)tensor.Offset, tensor.Length)))]);
}
