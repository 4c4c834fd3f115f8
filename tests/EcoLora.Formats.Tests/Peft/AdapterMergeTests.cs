using System.Text.Json.Nodes;
using EcoLora.Formats.HuggingFace;
using EcoLora.Formats.Peft;
using EcoLora.Formats.Safetensors;
using EcoLora.Formats.Tokenizers;
using EcoLora.Numerics;
using EcoLora.TestKit;

namespace EcoLora.Formats.Tests.Peft;

public sealed class AdapterMergeTests : IDisposable
{
    private const string Query = "model.layers.1.self_attn.q_proj", Down = "model.layers.0.mlp.down_proj";

    private static readonly ModelConfig Config = new()
    {
        VocabularySize = 258,
        HiddenSize = 8,
        IntermediateSize = 12,
        Layers = 2,
        Heads = 2,
        KeyValueHeads = 1,
        HeadSize = 4,
        MaxPositions = 32,
        TiedEmbeddings = true,
        BosId = 0,
        EosIds = [1],
    };

    private readonly TemporaryFolder _folder = new();

    public AdapterMergeTests()
    {
        WriteBase(TensorType.F32);
        WriteAdapter(0.5f);
    }

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(TensorType.F32, null, 24)]
    [InlineData(TensorType.BF16, null, 8)]
    [InlineData(TensorType.F16, null, 11)]
    [InlineData(TensorType.F32, TensorType.BF16, 8)]
    [InlineData(TensorType.F32, TensorType.F16, 11)]
    [InlineData(TensorType.BF16, TensorType.F32, 24)]
    public void Weights_are_the_sum_rounded_once(TensorType stored, TensorType? asked, int bits)
    {
        WriteBase(stored);
        Assert.Equal(1, Merge(asked));
        using SafetensorsFile before = SafetensorsFile.Open(_folder["base/model.safetensors"]), after = SafetensorsFile.Open(_folder["merged/model.safetensors"]);
        PeftAdapter adapter = PeftAdapter.Read(_folder["adapter"]);
        Assert.Equal(before.Tensors.Select(tensor => tensor.Name).Order(), after.Tensors.Select(tensor => tensor.Name).Order());
        int changed = 0;
        foreach (TensorEntry entry in after.Tensors)
        {
            Assert.Equal($"{asked ?? stored}", entry.Type);
            float[] w = Read(before, entry.Name), merged = Read(after, entry.Name);
            PeftModule? module = adapter.Modules.SingleOrDefault(each => each.Name + ".weight" == entry.Name);
            for (int i = 0; i < w.Length; i++)
            {
                double exact = w[i] + (module is null ? 0 : adapter.ScaleOf(module) * ProductAt(module, i));
                Assert.Equal(exact, merged[i], Math.Abs(exact) * Math.Pow(2, -bits) + 1e-6); // half a unit of the last place, and the sum's own rounding
                if (Math.Abs(exact - w[i]) > 0.01) changed++;
            }
        }
        Assert.InRange(changed, 100, 64 + 96);
    }

    [Theory]
    [InlineData("gate_proj", 8, 140_000)]
    [InlineData("down_proj", 140_000, 8)]
    public void A_layer_that_is_made_in_several_pieces_is_merged_in_each(string target, int inputs, int outputs)
    {
        ModelConfig wide = Config with { Layers = 1, IntermediateSize = 140_000 };
        string name = "model.layers.0.mlp." + target;
        Assert.InRange(inputs * outputs, (1 << 20) + 1, 1 << 21);
        // The base is 1 throughout, and B·A at (row, column) is row·column/10⁶ + row: every place has another number.
        ModelFolder.Save(_folder["base"], wide, Tokenizer(), [.. wide.Tensors().Select(tensor =>
            new SafetensorsTensor(tensor.Name, tensor.Shape, Enumerable.Repeat(1f, tensor.Shape.Aggregate(1, (product, d) => product * d)).ToArray()))]);
        float[] a = [.. Enumerable.Range(0, inputs).Select(column => column / 1e6f), .. Enumerable.Repeat(1f, inputs)];
        new PeftAdapter("base", [new PeftModule(name, 2, 2, inputs, outputs, a, [.. Enumerable.Range(0, 2 * outputs).Select(i => (float)(i / 2))])]).Write(_folder["adapter"]);
        Merge(null);
        using SafetensorsFile merged = SafetensorsFile.Open(_folder["merged/model.safetensors"]);
        float[] weights = Read(merged, name + ".weight");
        for (int row = 0; row < outputs; row++)
            for (int column = 0; column < inputs; column++)
                Assert.Equal(1 + row + row * (column / 1e6), weights[row * inputs + column], (1 + row) * 3e-7);
    }

    [Fact]
    public void A_base_of_several_types_keeps_each_and_what_it_has_beside_the_model_stays()
    {
        using (SafetensorsFile file = SafetensorsFile.Open(_folder["base/model.safetensors"]))
        {
            StreamedTensor[] tensors = [.. file.Tensors.Select(entry => new StreamedTensor(entry.Name, [.. entry.Shape.Select(d => (int)d)],
                entry.Name.Contains("norm", StringComparison.Ordinal) ? TensorType.F32 : entry.Name.Contains("mlp", StringComparison.Ordinal) ? TensorType.F16 : TensorType.BF16,
                (first, rows, destination) => file.ReadRows(entry.Name, first, rows, destination)))];
            SafetensorsWriter.WriteStreamed(_folder["mixed.safetensors"],
                [.. tensors, new("model.rotary.inv_freq", [3], TensorType.F32, (_, _, destination) => destination.Fill(0.25f))]);
        }
        File.Move(_folder["mixed.safetensors"], _folder["base/model.safetensors"], overwrite: true);
        Merge(null);
        using SafetensorsFile before = SafetensorsFile.Open(_folder["base/model.safetensors"]), after = SafetensorsFile.Open(_folder["merged/model.safetensors"]);
        Assert.Equal(before.Tensors, after.Tensors, (x, y) => (x.Name, x.Type, x.ShapeText, x.Offset) == (y.Name, y.Type, y.ShapeText, y.Offset));
        foreach (TensorEntry entry in before.Tensors.Where(entry => entry.Name is not (Query + ".weight" or Down + ".weight")))
            Assert.Equal(before.Bytes(entry.Name), after.Bytes(entry.Name));
        Assert.Equal([0.25f, 0.25f, 0.25f], Read(after, "model.rotary.inv_freq"));
    }

    [Fact]
    public void Other_files_are_the_base_s_and_config_changes_its_dtype_alone()
    {
        File.WriteAllText(_folder["base/special_tokens_map.json"], "{ }");
        File.WriteAllText(_folder["base/README.md"], "of the base alone");
        Merge(null);
        string[] taken = ["config.json", "generation_config.json", "special_tokens_map.json", "tokenizer.json", "tokenizer_config.json"];
        Assert.Equal([.. taken[..2], "model.safetensors", .. taken[2..]], Directory.GetFiles(_folder["merged"]).Select(Path.GetFileName).Order(StringComparer.Ordinal));
        foreach (string name in taken) Assert.Equal(File.ReadAllBytes(_folder["base/" + name]), File.ReadAllBytes(_folder["merged/" + name]));
        Merge(TensorType.F32);
        Assert.Equal(File.ReadAllBytes(_folder["base/config.json"]), File.ReadAllBytes(_folder["merged/config.json"]));

        string config = File.ReadAllText(_folder["base/config.json"]);
        Merge(TensorType.BF16);
        Assert.Equal(config.Replace("\"torch_dtype\": \"float32\"", "\"torch_dtype\": \"bfloat16\"", StringComparison.Ordinal) + "\n",
            File.ReadAllText(_folder["merged/config.json"]));
        File.WriteAllText(_folder["base/config.json"], config.Replace("\"torch_dtype\": \"float32\"", "\"dtype\": null, \"näme\": 1e-05", StringComparison.Ordinal));
        Merge(TensorType.F16);
        Assert.Contains("\"dtype\": \"float16\",\n  \"näme\": 1e-05,", File.ReadAllText(_folder["merged/config.json"]), StringComparison.Ordinal);
        File.WriteAllText(_folder["base/config.json"], config.Replace("\"torch_dtype\": \"float32\",", "", StringComparison.Ordinal));
        Merge(TensorType.F16);
        Assert.Equal("float16", (string?)JsonNode.Parse(File.ReadAllText(_folder["merged/config.json"]))!["torch_dtype"]);
    }

    [Fact]
    public void Shards_hold_what_one_file_does()
    {
        Merge(null);
        const int Largest = 1_000; // the embedding is larger
        using (var merge = AdapterMerge.Open(_folder["base"], _folder["adapter"]))
        {
            int tensors = 0;
            int files = merge.Write(_folder["sharded"], Largest, () => tensors++, TestContext.Current.CancellationToken);
            string[] names = [.. Directory.GetFiles(_folder["sharded"], "model-*").Select(Path.GetFileName).Order()!];
            Assert.Equal(Enumerable.Range(1, files).Select(i => $"model-{i:d5}-of-{files:d5}.safetensors"), names);
            Assert.Equal(merge.Tensors.Count, tensors);
            JsonNode index = JsonNode.Parse(File.ReadAllText(_folder["sharded/model.safetensors.index.json"]))!;
            Assert.Equal(merge.Tensors.Sum(tensor => tensor.ByteLength), (long)index["metadata"]!["total_size"]!);
            Assert.Equal(merge.Tensors.Count, index["weight_map"]!.AsObject().Count);
            foreach (string name in names)
            {
                using SafetensorsFile shard = SafetensorsFile.Open(_folder["sharded/" + name]);
                Assert.True(shard.Tensors.Count == 1 || shard.Tensors.Sum(tensor => tensor.ByteLength) <= Largest);
            }
            Assert.InRange(files, 3, merge.Tensors.Count - 1);
        }
        using SafetensorsFile whole = SafetensorsFile.Open(_folder["merged/model.safetensors"]);
        using ModelFolder sharded = ModelFolder.Open(_folder["sharded"]);
        using SafetensorsFolder shards = SafetensorsFolder.Open(_folder["sharded"]);
        foreach (TensorEntry entry in whole.Tensors) Assert.Equal(whole.Bytes(entry.Name), shards.FileOf(entry.Name).Bytes(entry.Name));
    }

    [Theory]
    [InlineData(TensorType.F16, 65519.9f, 65520f)]
    [InlineData(TensorType.BF16, 3.3961773e38f, 3.3961777e38f)]
    [InlineData(TensorType.F32, float.MaxValue, float.NaN)]
    public void Weights_that_their_type_cannot_hold_are_refused(TensorType type, float last, float first)
    {
        WriteAdapter(0);
        Put(last);
        Merge(type);
        Put(first);
        using var merge = AdapterMerge.Open(_folder["base"], _folder["adapter"], type);
        PeftException refusal = Assert.Throws<PeftException>(() => merge.Write(_folder["other"], cancellation: TestContext.Current.CancellationToken));
        Assert.Contains($"tensor '{Down}.weight': expected finite weights that {type} can hold, found ", refusal.Message, StringComparison.Ordinal);
        Assert.Equal([_folder["adapter"], _folder["base"], _folder["merged"]], Directory.GetFileSystemEntries(_folder.Path).Order());

        void Put(float value)
        {
            ModelFolder.Save(_folder["base"], Config, Tokenizer(), [.. Tensors().Select(tensor => tensor.Name == Down + ".weight"
                ? tensor with { Data = Enumerable.Repeat(value, tensor.Data.Length).ToArray() } : tensor)]);
        }
    }

    [Theory]
    [InlineData("model.layers.2.self_attn.q_proj", 8, 8, "expected a linear layer of the model, found none of that name")]
    [InlineData("model.layers.1.input_layernorm", 8, 1, "expected a linear layer of the model, found none of that name")]
    [InlineData("lm_head", 8, 258, "expected a linear layer of the model, found none of that name")]
    [InlineData("model.layers.1.self_attn.k_proj", 8, 8, "expected 4 × 8 as the model has, found 8 × 8")]
    public void A_pair_that_does_not_fit_the_model_is_refused(string name, int inputs, int outputs, string refusal)
    {
        new PeftAdapter("base", [new PeftModule(name, 1, 1, inputs, outputs, new float[inputs], new float[outputs])]).Write(_folder["adapter"]);
        Assert.Equal($"{_folder["adapter"]}: module '{name}': {refusal}",
            Assert.Throws<PeftException>(() => AdapterMerge.Open(_folder["base"], _folder["adapter"])).Message);
    }

    [Fact]
    public void Folders_that_hold_the_base_or_the_adapter_are_not_replaced()
    {
        Directory.CreateSymbolicLink(_folder["link"], _folder.Path);
        Directory.CreateDirectory(_folder["other"]);
        Directory.CreateSymbolicLink(_folder["other/inner"], "../base");
        foreach ((string source, string target) in ((string, string)[])[("base", "base"), ("base", "link/base/"), ("base", "."), ("link/base", "base"),
            ("base", "other/inner"), ("base", "adapter")])
        {
            using var merge = AdapterMerge.Open(_folder[source], _folder["adapter"]);
            ArgumentException refusal = Assert.Throws<ArgumentException>(() => merge.Write(_folder[target], cancellation: TestContext.Current.CancellationToken));
            string what = target == "adapter" ? "adapter" : "base model";
            Assert.Equal($"{_folder[target]}: expected a folder without the {what}, found {_folder[target == "adapter" ? "adapter" : source]} there", refusal.Message);
        }
        using (var merge = AdapterMerge.Open(_folder["base"], _folder["adapter"]))
            Assert.Equal(1, merge.Write(_folder["base/merged"], cancellation: TestContext.Current.CancellationToken));
        ModelFolder.Open(_folder["base/merged"]).Dispose();
    }

    [Fact]
    public void A_cancelled_merge_leaves_the_former_folder()
    {
        Directory.CreateDirectory(_folder["merged"]);
        File.WriteAllText(_folder["merged/former"], "");
        using var cancellation = new CancellationTokenSource();
        using var merge = AdapterMerge.Open(_folder["base"], _folder["adapter"]);
        Assert.Throws<OperationCanceledException>(() => merge.Write(_folder["merged"], cancellation.Cancel, cancellation.Token));
        Assert.Equal([_folder["merged/former"]], Directory.GetFileSystemEntries(_folder["merged"]));
        Assert.Equal([_folder["adapter"], _folder["base"], _folder["merged"]], Directory.GetFileSystemEntries(_folder.Path).Order());
    }

    private static BpeTokenizer Tokenizer() => BpeTrainer.Train(["Anna has a red ball."], Config.VocabularySize);

    private static IEnumerable<SafetensorsTensor> Tensors() => Config.Tensors().Select(tensor =>
        new SafetensorsTensor(tensor.Name, tensor.Shape, Draw(tensor.Name, tensor.Shape.Aggregate(1, (product, d) => product * d))));

    private static float[] Draw(string name, int count)
    {
        var stream = new RandomStream(17, name);
        return [.. Enumerable.Range(0, count).Select(_ => (float)stream.NextGaussian())];
    }

    private static float[] Read(SafetensorsFile file, string name)
    {
        float[] values = new float[file[name].Shape.Aggregate(1L, (product, dimension) => product * dimension)];
        file.Read(name, values);
        return values;
    }

    /// <summary>An entry of B·A.</summary>
    private static double ProductAt(PeftModule module, int index)
    {
        (int row, int column) = Math.DivRem(index, module.Inputs);
        return Enumerable.Range(0, module.Rank).Sum(k => (double)module.B[row * module.Rank + k] * module.A[k * module.Inputs + column]);
    }

    private void WriteBase(TensorType type) => ModelFolder.Save(_folder["base"], Config, Tokenizer(), [.. Tensors()], type);

    /// <summary>Pairs of other ranks and α for two layers.</summary>
    private void WriteAdapter(float factor)
    {
        new PeftAdapter("base", [Make(Query, 2, 3, 8, 8), Make(Down, 5, 4.5, 12, 8)], UseRsLora: true).Write(_folder["adapter"]);

        PeftModule Make(string name, int rank, double alpha, int inputs, int outputs) => new(name, rank, alpha, inputs, outputs,
            Draw(name + ".A", rank * inputs), [.. Draw(name + ".B", outputs * rank).Select(value => value * factor)]);
    }

    private int Merge(TensorType? type)
    {
        using var merge = AdapterMerge.Open(_folder["base"], _folder["adapter"], type);
        return merge.Write(_folder["merged"], cancellation: TestContext.Current.CancellationToken);
    }
}
