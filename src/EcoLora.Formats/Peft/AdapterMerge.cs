using EcoLora.Formats.Files;
using EcoLora.Formats.HuggingFace;
using EcoLora.Formats.Json;
using EcoLora.Formats.Safetensors;
using EcoLora.Numerics;

namespace EcoLora.Formats.Peft;

/// <summary>
/// A base model with an adapter merged into it: W + s·B·A in the place of W, s being <see cref="PeftAdapter.ScaleOf"/>'s. The sum is made in binary32 and
/// rounded once, to the nearest, when it is written. Opening checks that the two fit together; the weights stay mapped, and writing holds a few rows at a time.
/// </summary>
public sealed class AdapterMerge : IDisposable
{
    /// <summary>Most bytes of tensors in a file, as transformers shards.</summary>
    internal const long LargestShard = 5_000_000_000;

    /// <summary>What is taken over from the base beside config.json, byte for byte, where it is there.</summary>
    private static readonly string[] s_companions =
    [
        "generation_config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "tokenizer.model", "vocab.json",
        "merges.txt", "chat_template.jinja", "chat_template.json",
    ];

    private readonly string _model, _adapterFolder;
    private readonly PeftAdapter _adapter;
    private readonly TensorType? _type;
    private readonly SafetensorsFolder _weights;

    private AdapterMerge(string model, string adapterFolder, PeftAdapter adapter, TensorType? type, SafetensorsFolder weights, IEnumerable<string> names)
    {
        (_model, _adapterFolder, _adapter, _type, _weights) = (model, adapterFolder, adapter, type, weights);
        Dictionary<string, PeftModule> modules = adapter.Modules.ToDictionary(module => module.Name + ".weight", StringComparer.Ordinal);
        Tensors = [.. names.Select(name => Merged(name, modules.GetValueOrDefault(name)))];
    }

    /// <summary>The merged model's tensors in the order of the computation; what the base has beside them comes last.</summary>
    public IReadOnlyList<StreamedTensor> Tensors { get; }

    /// <summary>Opens a base model's folder and an adapter's.</summary>
    /// <param name="modelFolder">A folder that <see cref="ModelFolder.Open"/> accepts.</param>
    /// <param name="adapterFolder">A folder that <see cref="PeftAdapter.Read"/> accepts.</param>
    /// <param name="type">How all merged tensors are stored; null for each as in the base.</param>
    /// <exception cref="FormatException">One of them cannot be used, or they do not fit together.</exception>
    public static AdapterMerge Open(string modelFolder, string adapterFolder, TensorType? type = null)
    {
        PeftAdapter adapter = PeftAdapter.Read(adapterFolder);
        Dictionary<string, int[]> shapes;
        using (ModelFolder model = ModelFolder.Open(modelFolder))
            shapes = model.Config.Tensors().ToDictionary(tensor => tensor.Name, tensor => tensor.Shape, StringComparer.Ordinal);
        foreach (PeftModule module in adapter.Modules)
        {
            string where = $"{adapterFolder}: module '{PrintableText.Of(module.Name)}'";
            if (!shapes.TryGetValue(module.Name + ".weight", out int[]? shape) || shape.Length != 2)
                throw new PeftException($"{where}: expected a linear layer of the model, found none of that name");
            if (shape[0] != module.Outputs || shape[1] != module.Inputs)
                throw new PeftException($"{where}: expected {shape[0]} × {shape[1]} as the model has, found {module.Outputs} × {module.Inputs}");
        }
        SafetensorsFolder weights = SafetensorsFolder.Open(modelFolder);
        try
        {
            return new AdapterMerge(modelFolder, adapterFolder, adapter, type, weights, shapes.Keys.Union(weights.Names));
        }
        catch
        {
            weights.Dispose();
            throw;
        }
    }

    /// <summary>
    /// Writes a folder that transformers loads: the base's config.json (its dtype changed where a type was asked for), generation config and tokenizer, and
    /// model.safetensors, or from 5 GB on shards with an index. It appears whole or not at all; a former folder of that name is replaced.
    /// </summary>
    /// <param name="folder">Where.</param>
    /// <param name="onTensor">Is told that one more tensor is written.</param>
    /// <param name="cancellation">Honoured between tensors' rows; nothing has been written then.</param>
    /// <returns>Number of files with weights.</returns>
    /// <exception cref="ArgumentException">The base model or the adapter lies in the folder that would be replaced.</exception>
    /// <exception cref="PeftException">A merged weight is NaN, infinite or too large for its type.</exception>
    /// <exception cref="IOException">The disk refused.</exception>
    public int Write(string folder, Action? onTensor = null, CancellationToken cancellation = default) =>
        Write(folder, LargestShard, onTensor, cancellation);

    /// <summary>Refuses a folder that is the base model's or the adapter's, or has one of them in it: it would be replaced as a whole.</summary>
    /// <exception cref="ArgumentException">It is one of these.</exception>
    public void RefuseSources(string folder)
    {
        foreach ((string what, string source) in ((string, string)[])[("base model", _model), ("adapter", _adapterFolder)])
            if (FolderPlace.IsWithin(source, folder))
                throw new ArgumentException($"{folder}: expected a folder without the {what}, found {source} there");
    }

    /// <summary>Unmaps the base's weights.</summary>
    public void Dispose() => _weights.Dispose();

    internal int Write(string folder, long largestShard, Action? onTensor, CancellationToken cancellation)
    {
        RefuseSources(folder);
        int files = 0;
        AtomicFile.WriteFolder(folder, unfinished =>
        {
            Copy(ModelConfigFile.Name, unfinished, _type is { } type ? bytes => MergedConfig.WithType(bytes, type) : bytes => bytes);
            foreach (string name in s_companions)
                if (File.Exists(Path.Combine(_model, name)))
                    Copy(name, unfinished, bytes => bytes);
            files = ShardedWeights.Write(unfinished, Tensors, largestShard, tensor => Followed(tensor, onTensor, cancellation));
        });
        return files;
    }

    private void Copy(string name, string folder, Func<byte[], byte[]> change)
    {
        byte[] content = change(File.ReadAllBytes(Path.Combine(_model, name)));
        AtomicFile.Write(Path.Combine(folder, name), stream => stream.Write(content));
    }

    private static StreamedTensor Followed(StreamedTensor tensor, Action? onTensor, CancellationToken cancellation) => tensor with
    {
        Rows = (firstRow, rows, destination) =>
        {
            cancellation.ThrowIfCancellationRequested();
            tensor.Rows(firstRow, rows, destination);
            if (firstRow + rows == tensor.RowCount) onTensor?.Invoke();
        },
    };

    private StreamedTensor Merged(string name, PeftModule? module)
    {
        SafetensorsFile file = _weights.FileOf(name);
        TensorEntry entry = file[name];
        file.CheckReadable(entry);
        TensorType type = _type ?? Enum.Parse<TensorType>(entry.Type);
        return new StreamedTensor(name, [.. entry.Shape.Select(dimension => checked((int)dimension))], type, (firstRow, rows, destination) =>
        {
            file.ReadRows(name, firstRow, rows, destination);
            if (module is not null) Add(module, firstRow, rows, destination);
            Check(name, destination, type);
        });
    }

    /// <summary>Rows of W += s·B·A.</summary>
    private void Add(PeftModule module, int firstRow, int rows, Span<float> destination)
    {
        float[] scaled = module.B.AsSpan(firstRow * module.Rank, rows * module.Rank).ToArray();
        VectorMath.Scale((float)_adapter.ScaleOf(module), scaled.AsSpan());
        MatMul.InputGradient<float>(scaled, module.A, destination, rows, module.Inputs, module.Rank, accumulate: true);
    }

    private static void Check(string name, ReadOnlySpan<float> weights, TensorType type)
    {
        // The least that rounds to an infinity.
        float end = type switch { TensorType.F16 => 65520, TensorType.BF16 => BitConverter.UInt32BitsToSingle(0x7F7F_8000), _ => float.PositiveInfinity };
        foreach (float weight in weights)
            if (!(Math.Abs(weight) < end))
                throw new PeftException($"tensor '{PrintableText.Of(name)}': expected finite weights that {type} can hold, found {FormattableString.Invariant($"{weight:G9}")}");
    }
}
