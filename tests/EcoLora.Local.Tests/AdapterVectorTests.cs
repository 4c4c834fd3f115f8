using EcoLora.Codec;
using EcoLora.Formats.Peft;
using EcoLora.Training;

namespace EcoLora.Local.Tests;

public class AdapterVectorTests
{
    private static readonly LlamaConfig Config = new()
    {
        HiddenSize = 4,
        IntermediateSize = 6,
        Layers = 2,
        Heads = 2,
        KeyValueHeads = 1,
        HeadSize = 2,
        Vocabulary = 8,
        MaxPositions = 16,
    };

    [Fact]
    public void Pairs_of_other_ranks_and_scales_keep_their_product()
    {
        // Rank 2 with scale 2, and rank 1 with scale 3: the smaller is padded, and its B takes up 3/2.
        var large = new PeftModule("model.layers.0.self_attn.q_proj", 2, 4, 4, 4, [1, 2, 3, 4, 5, 6, 7, 8], [1, 2, 3, 4, 5, 6, 7, 8]);
        var small = new PeftModule("model.layers.1.mlp.down_proj", 1, 3, 6, 4, [1, 2, 3, 4, 5, 6], [2, 4, 6, 8]);
        (LoraOptions options, float[] vector) = AdapterVector.Of(new PeftAdapter("base", [large, small]), Config, "x");
        Assert.Equal((2, 2.0, LoraTargets.QProj | LoraTargets.DownProj), (options.Rank, options.Scale, options.Targets));
        LoraLayout layout = options.LayoutFor(Config);
        Assert.Equal([1, 2, 3, 4, 5, 6, 7, 8], Of(layout, vector, "model.layers.0.self_attn.q_proj", LoraRole.B));
        Assert.Equal([1, 2, 3, 4, 5, 6, 0, 0, 0, 0, 0, 0], Of(layout, vector, "model.layers.1.mlp.down_proj", LoraRole.A));
        Assert.Equal([3, 0, 6, 0, 9, 0, 12, 0], Of(layout, vector, "model.layers.1.mlp.down_proj", LoraRole.B));
        Assert.All(Of(layout, vector, "model.layers.1.self_attn.q_proj", LoraRole.B), value => Assert.Equal(0, value));
    }

    [Fact]
    public void Rank_stabilised_scales_are_those_of_each_pair()
    {
        // Rank 4 with scale 6/√4 = 3, and rank 1 with scale 2/√1 = 2: the smaller's B takes up 2/3.
        var large = new PeftModule("model.layers.0.self_attn.q_proj", 4, 6, 4, 4, new float[16], new float[16]);
        var small = new PeftModule("model.layers.0.self_attn.v_proj", 1, 2, 4, 2, [1, 2, 3, 4], [3, 6]);
        (LoraOptions options, float[] vector) = AdapterVector.Of(new PeftAdapter("base", [large, small], UseRsLora: true), Config, "x");
        Assert.Equal((4, 3.0, true), (options.Rank, options.Scale, options.RsLora));
        Assert.Equal([2, 0, 0, 0, 4, 0, 0, 0], Of(options.LayoutFor(Config), vector, "model.layers.0.self_attn.v_proj", LoraRole.B));
    }

    [Theory]
    [InlineData("model.layers.2.self_attn.q_proj", 4, "x: module 'model.layers.2.self_attn.q_proj': expected a layer of the model, found none of that name")]
    [InlineData("model.layers.0.self_attn.q_proj", 5, "x: module 'model.layers.0.self_attn.q_proj': expected 4 × 4 as the model has, found 4 × 5")]
    [InlineData("lm_head", 4, "x: expected pairs for linear layers of decoder layers, found lm_head")]
    public void A_pair_that_does_not_fit_the_model_is_refused(string name, int inputs, string refusal)
    {
        var adapter = new PeftAdapter("base", [new PeftModule(name, 1, 1, inputs, 4, new float[inputs], new float[4])]);
        Assert.Equal(refusal, Assert.Throws<PeftException>(() => AdapterVector.Of(adapter, Config, "x")).Message);
    }

    private static float[] Of(LoraLayout layout, float[] vector, string module, LoraRole role) =>
        layout.Tensors.Single(tensor => tensor.Module == module && tensor.Role == role).In(vector.AsSpan()).ToArray();
}
