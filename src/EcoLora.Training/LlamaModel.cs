using EcoLora.Formats.HuggingFace;
using EcoLora.Formats.Safetensors;
using EcoLora.Numerics;

namespace EcoLora.Training;

/// <summary>Delivers a tensor, row-major, as 32-bit floats; throws when there is none of this name and shape.</summary>
/// <param name="name">Hugging Face name, such as <c>model.norm.weight</c>.</param>
/// <param name="rows">Rows; 1 for the gains of a normalisation, which a file holds with one dimension.</param>
/// <param name="columns">Entries per row.</param>
/// <param name="destination">rows·columns entries, all to be written.</param>
public delegate void WeightSource(string name, int rows, int columns, Span<float> destination);

/// <summary>A decoder with its weights in memory. Never changed after it was made, so any number of threads may share it.</summary>
public sealed class LlamaModel
{
    private readonly ReadOnlyMemory<float>[] _tensors;

    private LlamaModel(LlamaConfig config, ParameterLayout layout, ReadOnlyMemory<float>[] tensors)
    {
        Config = config;
        Layout = layout;
        _tensors = tensors;
        Weights = new LlamaWeights<float>(config, tensors);
    }

    /// <summary>The model's shape.</summary>
    public LlamaConfig Config { get; }

    /// <summary>Names, shapes and order of the tensors.</summary>
    public ParameterLayout Layout { get; }

    internal LlamaWeights<float> Weights { get; }

    /// <summary>Reads all tensors from a source.</summary>
    /// <exception cref="ModelException">The config is invalid, or a weight is not finite.</exception>
    public static LlamaModel Load(LlamaConfig config, WeightSource source)
    {
        ParameterLayout layout = ParameterLayout.Of(config);
        float[] parameters = GC.AllocateUninitializedArray<float>(layout.Length);
        foreach (ParameterTensor tensor in layout.Tensors)
        {
            Span<float> destination = parameters.AsSpan(tensor.Offset, tensor.Length);
            source(tensor.Name, tensor.Rows, tensor.Columns, destination);
            if (!double.IsFinite(VectorMath.SumOfSquares<float>(destination)))
                throw new ModelException($"tensor '{tensor.Name}': expected finite weights, found NaN or infinity");
        }
        return Of(config, layout, parameters);
    }

    /// <summary>Reads a Hugging Face folder, which has checked names, shapes and lengths when it was opened; shards and F32, F16, BF16 alike.</summary>
    /// <exception cref="ModelException">The model is larger than this engine holds, or a weight is not finite.</exception>
    /// <exception cref="SafetensorsException">A tensor cannot be read.</exception>
    public static LlamaModel Load(ModelFolder folder) => Load(LlamaConfig.Of(folder.Config), (name, rows, columns, destination) =>
    {
        if (ParameterTensor.IsVectorName(name)) folder.ReadTensor(name, destination);
        else folder.ReadTensor(name, rows, columns, destination);
    });

    /// <summary>
    /// A model to be trained from scratch: weights normal with standard deviation 0.02, those of the two layers that end in the residual stream divided by
    /// √(2·layers) (Radford et al., GPT-2, 2019), gains 1.
    /// </summary>
    /// <exception cref="ModelException">The config is invalid.</exception>
    public static LlamaModel Random(LlamaConfig config, RandomStream stream)
    {
        ParameterLayout layout = ParameterLayout.Of(config);
        float[] parameters = GC.AllocateUninitializedArray<float>(layout.Length);
        double residual = 0.02 / Math.Sqrt(2.0 * config.Layers);
        foreach (ParameterTensor tensor in layout.Tensors)
        {
            Span<float> destination = parameters.AsSpan(tensor.Offset, tensor.Length);
            bool endsInResidual = tensor.Name.EndsWith("o_proj.weight", StringComparison.Ordinal)
                || tensor.Name.EndsWith("down_proj.weight", StringComparison.Ordinal);
            if (tensor.IsVector) destination.Fill(1);
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
    public ReadOnlySpan<float> Tensor(int index) => _tensors[index].Span;

    /// <summary>All tensors under their Hugging Face names, to be saved with <see cref="ModelFolder.Save"/>; views, not copies.</summary>
    public IReadOnlyList<SafetensorsTensor> Tensors()
        => [.. Layout.Tensors.Select((tensor, i) => new SafetensorsTensor(tensor.Name, tensor.Shape, _tensors[i]))];

    /// <summary>All weights in one vector of the layout: a copy, to be trained.</summary>
    public float[] CopyParameters()
    {
        float[] parameters = GC.AllocateUninitializedArray<float>(Layout.Length);
        for (int i = 0; i < _tensors.Length; i++) _tensors[i].Span.CopyTo(parameters.AsSpan(Layout.Tensors[i].Offset));
        return parameters;
    }

    /// <summary>
    /// The model with W + s·B·A in the place of W: what evaluation and generation run on. It shares the other weights, so it costs only the memory of the
    /// targets.
    /// </summary>
    /// <param name="options">The adapter's shape.</param>
    /// <param name="adapter">One vector of the options' layout.</param>
    /// <exception cref="ArgumentException">The vector has not the layout's length.</exception>
    public LlamaModel WithAdapter(LoraOptions options, ReadOnlySpan<float> adapter)
    {
        var lora = new LoraPlan(Config, options);
        lora.Expect(adapter.Length);
        var tensors = (ReadOnlyMemory<float>[])_tensors.Clone();
        for (int layer = 0; layer < Config.Layers; layer++)
        {
            for (var kind = LinearKind.Query; kind <= LinearKind.Down; kind++)
            {
                if (lora[layer, kind] is not { } pair) continue;
                int index = LlamaWeights<float>.TensorOf(layer, kind);
                float[] merged = _tensors[index].ToArray();
                float[] scaled = pair.B.In(adapter).ToArray();
                VectorMath.Scale((float)options.Scale, scaled.AsSpan());
                MatMul.InputGradient<float>(scaled, pair.A.In(adapter), merged, pair.B.Rows, pair.A.Columns, options.Rank, accumulate: true);
                tensors[index] = merged;
            }
        }
        return new LlamaModel(Config, Layout, tensors);
    }

    private static LlamaModel Of(LlamaConfig config, ParameterLayout layout, ReadOnlyMemory<float> parameters)
        => new(config, layout, [.. layout.Tensors.Select(tensor => parameters.Slice(tensor.Offset, tensor.Length))]);
}
