using EcoLora.Numerics;
using TorchSharp;
using static TorchSharp.torch;

namespace EcoLora.Training.Torch;

/// <summary>A model's frozen tensors on the device, and the forward pass of its parts.</summary>
internal sealed class TorchModel
{
    /// <summary>Bytes that are copied to the device at a time.</summary>
    private const int SliceBytes = 64 << 20;

    private readonly Tensor[] _tensors;
    private readonly ParameterLayout _layout;
    private readonly Device _device;
    private (Tensor Cosines, Tensor Sines)? _rotary;

    private TorchModel(LlamaConfig config, ParameterLayout layout, Tensor[] tensors, TorchBackend backend) =>
        (Config, _layout, _tensors, Precision, _device) = (config, layout, tensors, backend.Precision, backend.Device);

    public LlamaConfig Config { get; }

    /// <summary>Type of the matrices and of the residual stream.</summary>
    public ScalarType Precision { get; }

    /// <summary>[V, D].</summary>
    public Tensor Head => _tensors[_layout.Head];

    /// <summary>Copies a model to the device, tensor by tensor and slice by slice, from the mapped files.</summary>
    /// <param name="model">The model.</param>
    /// <param name="backend">Says where and in what type.</param>
    /// <param name="others">Models that are there already; tensors that are the same memory are shared.</param>
    /// <exception cref="ModelException">The device has not as much memory.</exception>
    public static TorchModel Load(LlamaModel model, TorchBackend backend, IReadOnlyList<KeyValuePair<LlamaModel, TorchModel>> others)
    {
        IReadOnlyList<ParameterTensor> layout = model.Layout.Tensors;
        Tensor? Shared(int i) => others.FirstOrDefault(other => other.Key.Layout.Tensors.Count > i && model.Tensor(i).Equals(other.Key.Tensor(i))).Value?._tensors[i];
        long bytes = layout.Index().Where(each => Shared(each.Index) is null).Sum(each => (long)each.Item.Length * TorchTransfer.SizeOf(each.Item.IsVector ? ScalarType.Float32 : backend.Precision));
        DeviceMemory.Expect(backend.Device, bytes, "the base model");
        using DisposeScope scope = NewDisposeScope();
        var tensors = new Tensor[layout.Count];
        for (int i = 0; i < tensors.Length; i++)
            tensors[i] = Shared(i) ?? Upload(model.Tensor(i), layout[i], layout[i].IsVector ? ScalarType.Float32 : backend.Precision, backend.Device).DetachFromDisposeScope();
        return new TorchModel(model.Config, model.Layout, tensors, backend);
    }

    /// <summary>The rows' embeddings [N, D].</summary>
    public Tensor Embed(Tensor tokens) => _tensors[ParameterLayout.Embedding].index_select(0, tokens);

    /// <summary>Cosines and sines of rows [N, 1, d/2], from tables on the device that grow with the longest sequence so far. Inside a pass's turn.</summary>
    /// <param name="positions">The rows' positions [N].</param>
    /// <param name="longest">What they are below.</param>
    public (Tensor Cosines, Tensor Sines) Rotary(Tensor positions, int longest)
    {
        if (!(_rotary?.Cosines.shape[0] >= longest))
        {
            using DisposeScope scope = NewDisposeScope();
            int half = Config.HeadSize / 2;
            float[] cosines = new float[longest * half], sines = new float[longest * half];
            Rope.FillTables<float>(cosines, sines, longest, Config.HeadSize, Config.RopeTheta, Config.RopeScaling);
            _rotary?.Cosines.Dispose();
            _rotary?.Sines.Dispose();
            _rotary = (Table(cosines), Table(sines));

            Tensor Table(float[] table) => TorchTransfer.ToDevice<float>(table, ScalarType.Float32, _device).view(longest, 1, half).to(Precision).DetachFromDisposeScope();
        }
        return (_rotary!.Value.Cosines.index_select(0, positions), _rotary.Value.Sines.index_select(0, positions));
    }

    /// <summary>A decoder layer: h = x + o(attention(q, k, v of norm(x))); y = h + down(silu(gate)∘up of norm(h)).</summary>
    /// <param name="layer">Its number.</param>
    /// <param name="x">[N, D].</param>
    /// <param name="rotary">Cosines and sines of the rows.</param>
    /// <param name="attend">Attention over q, k and v, [N, heads, d] each, to [N, H·d].</param>
    /// <param name="lora">The adapter, or null.</param>
    /// <param name="masks">Dropout of LoRA's inputs, or null.</param>
    /// <returns>[N, D], in the caller's scope.</returns>
    public Tensor Layer(int layer, Tensor x, (Tensor Cosines, Tensor Sines) rotary, Func<Tensor, Tensor, Tensor, Tensor> attend, TorchLora? lora, Func<LinearKind, Tensor>? masks)
    {
        using DisposeScope scope = NewDisposeScope();
        long rows = x.shape[0];
        Tensor normed = RmsNorm(x, _tensors[_layout.AttentionNormOf(layer)]);
        Tensor q = Rotate(Linear(LinearKind.Query, normed).view(rows, Config.Heads, Config.HeadSize), rotary);
        Tensor k = Rotate(Linear(LinearKind.Key, normed).view(rows, Config.KeyValueHeads, Config.HeadSize), rotary);
        Tensor v = Linear(LinearKind.Value, normed).view(rows, Config.KeyValueHeads, Config.HeadSize);
        Tensor middle = x + Linear(LinearKind.Output, attend(q, k, v));
        normed = RmsNorm(middle, _tensors[_layout.FeedForwardNormOf(layer)]);
        Tensor gated = nn.functional.silu(Linear(LinearKind.Gate, normed)) * Linear(LinearKind.Up, normed);
        return (middle + Linear(LinearKind.Down, gated)).MoveToOuterDisposeScope();

        // functional.linear reports a wrong shape; Tensor.matmul would end the process.
        Tensor Linear(LinearKind kind, Tensor input)
        {
            Tensor output = nn.functional.linear(input, _tensors[_layout.WeightOf(layer, kind)], _layout.BiasOf(layer, kind) is { } bias ? _tensors[bias].to(Precision) : null);
            return lora?[layer, kind] is not { } pair ? output : output + pair.Apply(masks is null ? input : input * masks(kind));
        }
    }

    /// <summary>The last normalisation.</summary>
    public Tensor FinalNorm(Tensor x) => RmsNorm(x, _tensors[_layout.FinalNorm]);

    /// <summary>x/√(mean x² + ε)·g per row, computed in binary32.</summary>
    private Tensor RmsNorm(Tensor x, Tensor gains)
    {
        using DisposeScope scope = NewDisposeScope();
        Tensor wide = x.to(ScalarType.Float32);
        return (wide * (wide.square().mean([-1], keepdim: true) + Config.NormEpsilon).rsqrt() * gains).to(Precision).MoveToOuterDisposeScope();
    }

    /// <summary>(a, b) ← (a·cos − b·sin, b·cos + a·sin) of each head's halves.</summary>
    private static Tensor Rotate(Tensor x, (Tensor Cosines, Tensor Sines) rotary)
    {
        using DisposeScope scope = NewDisposeScope();
        long half = x.shape[2] / 2;
        Tensor a = x.narrow(2, 0, half), b = x.narrow(2, half, half);
        return cat([a * rotary.Cosines - b * rotary.Sines, b * rotary.Cosines + a * rotary.Sines], 2).MoveToOuterDisposeScope();
    }

    private static Tensor Upload(WeightMemory<float> weights, ParameterTensor tensor, ScalarType type, Device device)
    {
        ScalarType stored = weights.Format switch { WeightFormat.Half => ScalarType.Float16, WeightFormat.Brain => ScalarType.BFloat16, _ => ScalarType.Float32 };
        int sliceRows = Math.Clamp(SliceBytes / (tensor.Columns * TorchTransfer.SizeOf(stored)), 1, tensor.Rows);
        Tensor whole = empty([tensor.Rows, tensor.Columns], type, device);
        using Tensor staging = empty([sliceRows, tensor.Columns], stored);
        for (int row = 0; row < tensor.Rows; row += sliceRows)
        {
            int rows = Math.Min(sliceRows, tensor.Rows - row);
            weights.BytesOf(row * tensor.Columns, rows * tensor.Columns).CopyTo(staging.bytes);
            using Tensor from = staging.narrow(0, 0, rows), to = whole.narrow(0, row, rows);
            to.copy_(from);
        }
        return tensor.IsVector ? whole.view(tensor.Columns) : whole;
    }
}
