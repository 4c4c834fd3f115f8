using System.Security.Cryptography;
using System.Text;

namespace EcoLora.Codec.Tests;

public class LoraLayoutTests
{
    private static readonly LoraModule[] _modules = [new("layers.0.q_proj", 4, 6, 2), new("layers.0.v_proj", 3, 6, 1)];

    [Fact]
    public void A_comes_before_B_module_by_module()
    {
        LoraLayout layout = LoraLayout.Of(_modules);
        Assert.Equal(
            [
                new LoraTensor("layers.0.q_proj", LoraRole.A, 2, 6, 0),
                new LoraTensor("layers.0.q_proj", LoraRole.B, 4, 2, 12),
                new LoraTensor("layers.0.v_proj", LoraRole.A, 1, 6, 20),
                new LoraTensor("layers.0.v_proj", LoraRole.B, 3, 1, 26),
            ],
            layout.Tensors);
        Assert.Equal(29, layout.Length);
    }

    [Fact]
    public void The_layout_of_one_role_is_closed_up()
    {
        LoraLayout only = LoraLayout.Of(_modules).Only(LoraRole.B);
        Assert.Equal([new LoraTensor("layers.0.q_proj", LoraRole.B, 4, 2, 0), new LoraTensor("layers.0.v_proj", LoraRole.B, 3, 1, 8)], only.Tensors);
        Assert.Equal(11, only.Length);
    }

    [Fact]
    public void The_fingerprint_is_the_digest_of_one_line_per_tensor()
    {
        byte[] digest = SHA256.HashData(Encoding.UTF8.GetBytes("layers.0.q_proj A 2 6\nlayers.0.q_proj B 4 2\nlayers.0.v_proj A 1 6\nlayers.0.v_proj B 3 1\n"));
        Assert.Equal(BitConverter.ToUInt64(digest), LoraLayout.Of(_modules).Fingerprint);
    }

    [Fact]
    public void Another_name_shape_order_or_role_gives_another_fingerprint()
    {
        LoraModule q = _modules[0], v = _modules[1];
        ulong[] fingerprints =
        [
            LoraLayout.Of([q, v]).Fingerprint, LoraLayout.Of([v, q]).Fingerprint, LoraLayout.Of([q]).Fingerprint,
            LoraLayout.Of([q with { Name = "x" }, v]).Fingerprint,
            LoraLayout.Of([q with { Rank = 4 }, v]).Fingerprint, LoraLayout.Of([q, v]).Only(LoraRole.A).Fingerprint,
            LoraLayout.Of([q, v]).Only(LoraRole.B).Fingerprint,
        ];
        Assert.Equal(fingerprints.Length, fingerprints.Distinct().Count());
    }

    [Fact]
    public void A_rank_of_0_is_refused_with_the_module_and_the_shape()
    {
        var exception = Assert.Throws<ArgumentException>(() => LoraLayout.Of([_modules[0] with { Rank = 0 }]));
        Assert.StartsWith("tensor layers.0.q_proj.A: expected a positive shape, found [0, 6]", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void No_module_gaps_and_vectors_of_more_than_2_billion_entries_are_refused()
    {
        Assert.Throws<ArgumentException>(() => LoraLayout.Of([]));
        Assert.Throws<ArgumentException>(() => new LoraLayout([new LoraTensor("q", LoraRole.A, 2, 2, 1)]));
        Assert.Throws<ArgumentException>(() => LoraLayout.Of([new("big", 50_000, 50_000, 50_000)]));
        Assert.Throws<ArgumentException>(() => LoraLayout.Of([new("half", 30_000, 30_000, 30_000), new("half again", 30_000, 30_000, 30_000)]));
    }

    [Fact]
    public void A_starts_uniform_within_one_over_the_root_of_its_inputs_and_B_at_zero()
    {
        LoraLayout layout = LoraLayout.Of([new("q", 8, 400, 16)]);
        float[] vector = LoraInitialization.Create(layout, 5);
        float[] a = layout.Tensors[0].In(vector.AsSpan()).ToArray();
        Assert.All(a, value => Assert.InRange(value, -0.05f, 0.05f));
        Assert.InRange(a.Average(), -0.002, 0.002);
        Assert.InRange(a.Average(value => value * value), 0.0025 / 3 * 0.95, 0.0025 / 3 * 1.05);
        Assert.All(layout.Tensors[1].In(vector.AsSpan()).ToArray(), value => Assert.Equal(0f, value));
    }

    [Fact]
    public void Each_A_starts_the_same_whatever_other_tensors_the_layout_holds()
    {
        LoraLayout both = LoraLayout.Of(_modules), second = LoraLayout.Of([_modules[1]]).Only(LoraRole.A);
        float[] whole = LoraInitialization.Create(both, 5), alone = LoraInitialization.Create(second, 5);
        Assert.Equal(both.Tensors[2].In(whole.AsSpan()).ToArray(), alone);
        Assert.NotEqual(alone, LoraInitialization.Create(second, 6));
    }
}
