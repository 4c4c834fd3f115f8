using EcoLora.Codec;
using EcoLora.Formats.Safetensors;
using EcoLora.Local.Bench;
using EcoLora.TestKit;

namespace EcoLora.Local.Tests.Bench;

public class UpdateTests
{
    [Fact]
    public void Synthetic_data_are_the_same_every_time_and_have_the_promised_spread()
    {
        const int Entries = SyntheticUpdate.Step * 64;
        foreach (string name in SyntheticUpdate.Names)
        {
            DenseUpdate update = SyntheticUpdate.Make(name, Entries);
            Assert.Equal((name, Entries, 128), (update.Name, update.Values.Length, update.Layout.Tensors.Count));
            Assert.Equal(update.Values, SyntheticUpdate.Make(name, Entries).Values);
            double[] deviations = [.. update.Layout.Tensors.Select(tensor => Deviation(tensor.In(update.Values.AsSpan())))];
            double spread = Deviation([.. deviations.Select(deviation => (float)Math.Log(deviation))], centred: true);
            // 1024 entries a tensor: the deviation of an estimated one is about 0.022.
            if (name == "gaussian") Assert.All(deviations, deviation => Assert.InRange(deviation, 1.0, 1.25));
            else Assert.InRange(spread, name == "scaled" ? 0.75 : 0.3, name == "scaled" ? 1.25 : 0.8);
        }
    }

    [Fact]
    public void Top_k_keeps_exactly_the_largest_and_rounds_them()
    {
        DenseUpdate dense = SyntheticUpdate.Make("gaussian", SyntheticUpdate.Step);
        using var sparse = SparseUpdate.Of(dense, 0.25);
        Assert.Equal(SyntheticUpdate.Step / 4, sparse.Kept);
        float threshold = dense.Values.Select(MathF.Abs).OrderDescending().ElementAt(sparse.Kept - 1);
        Assert.Equal((Half)threshold, sparse.Smallest);
        for (int i = 0; i < dense.Values.Length; i++)
            Assert.Equal(MathF.Abs(dense.Values[i]) >= threshold ? (Half)dense.Values[i] : Half.Zero, sparse.Values.Span[i]);
    }

    [Fact]
    public void A_slice_is_every_so_many_th_block_with_its_tensors()
    {
        var layout = LoraLayout.Of([new LoraModule("x", 3000, 1500, 1), new LoraModule("y", 5, 7, 1)]);
        var values = new AlignedBuffer<Half>(layout.Length);
        for (int i = 0; i < values.Length; i++) values.Span[i] = (Half)(i % 2000 + 1);
        using var whole = new SparseUpdate("x", 1, layout, values);
        using SparseUpdate slice = whole.Slice(1600);
        int[] expected = [.. Enumerable.Range(0, layout.Length).Where(i => i / 1024 % 3 == 0)];
        Assert.Equal(expected.Select(i => (Half)(i % 2000 + 1)), slice.Values.Span.ToArray());
        int[] perTensor = [.. layout.Tensors.Select(tensor => expected.Count(i => i >= tensor.Offset && i < tensor.End))];
        Assert.Equal(perTensor.Where(count => count > 0), slice.Layout.Tensors.Select(tensor => tensor.Length));

        using SparseUpdate all = whole.Slice(layout.Length);
        Assert.Equal(values.Span.ToArray(), all.Values.Span.ToArray());
    }

    [Fact]
    public void Bounds_are_the_entropies()
    {
        // Half of the entries kept, all with one token: 2 bits for the positions of each, 0 for the token, 8 raw.
        double[] values = new double[2048];
        for (int i = 0; i < 1024; i++) values[i] = i % 2 == 0 ? 1 : -1;
        using SparseUpdate blocks = MadeUpUpdate.Of(values);
        Assert.Equal(10, EntropyBound.Of(blocks), 1e-12);
        // One block is full and one is empty: nothing is left to say about positions.
        Assert.Equal(8, EntropyBound.OfClasses(blocks), 1e-12);
        // Two tokens, equally often, are one more bit.
        for (int i = 0; i < 512; i++) values[i] = 2;
        using SparseUpdate tokens = MadeUpUpdate.Of(values);
        Assert.Equal(11, EntropyBound.Of(tokens), 1e-12);
        Assert.Equal(9, EntropyBound.OfClasses(tokens), 1e-12);
    }

    [Fact]
    public void Kept_updates_are_joined_and_scaled_by_a_power_of_two()
    {
        using var folder = new TemporaryFolder();
        string updates = folder["run/updates"];
        Write(updates, "round-00000-client-00001",
            new("m.lora_A.weight", [1, 2], new float[] { 1e-3f, -2e-3f }), new("m.lora_B.weight", [1], new float[] { 3e-3f }));
        Write(updates, "round-00000-client-00000", new SafetensorsTensor("m.lora_B.weight", [2, 1], new float[] { 0.5e-3f, 0 }));
        DenseUpdate update = RealUpdate.Read(updates, 100);
        // The largest, 3e-3, is 1.536 × 2^-9, so the power is 2^23.
        Assert.Equal(new float[] { 0.5e-3f, 0, 1e-3f, -2e-3f, 3e-3f }.Select(value => value * (1 << 23)), update.Values);
        Assert.Equal("run/updates", update.Name);
        Assert.Equal([LoraRole.B, LoraRole.A, LoraRole.B], update.Layout.Tensors.Select(tensor => tensor.Role));

        // Of 5 entries every second file is taken when at most 4 may be, which is the first.
        Assert.Equal(2, RealUpdate.Read(updates, 4).Values.Length);
    }

    [Fact]
    public void A_folder_that_cannot_be_used_is_refused()
    {
        using var folder = new TemporaryFolder();
        AssertRefused($"{folder.Path}: expected .safetensors files of run --keep-updates, found none", folder.Path);
        Write(folder["large"], "a", new SafetensorsTensor("m.lora_A.weight", [4000], new float[4000]));
        AssertRefused($"{folder["large"]}: expected files of 1 to 2048 entries (--entries), found none", folder["large"]);
        Write(folder["nan"], "a", new SafetensorsTensor("m.lora_A.weight", [2], new[] { 1, float.NaN }));
        AssertRefused($"{folder["nan"]}/a.safetensors: m.lora_A.weight: expected finite numbers, found NaN", folder["nan"]);
        Assert.Equal(new Outcome(ExitCodes.BadInput, "", "ecolora: --data: expected gaussian or scaled or structured or a folder, found 'gausian'\n"),
            Ecolora.Run("bench", "codec", "--data", "gausian"));

        static void AssertRefused(string message, string path) =>
            Assert.Equal(message, Assert.Throws<FormatException>(() => RealUpdate.Read(path, SyntheticUpdate.Step)).Message);
    }

    private static void Write(string folder, string name, params IEnumerable<SafetensorsTensor> tensors) =>
        SafetensorsWriter.Write(Path.Combine(folder, name + ".safetensors"), tensors);

    private static double Deviation(ReadOnlySpan<float> values, bool centred = false)
    {
        double sum = 0, squares = 0;
        foreach (float value in values)
        {
            sum += value;
            squares += (double)value * value;
        }
        double mean = centred ? sum / values.Length : 0;
        return Math.Sqrt(squares / values.Length - mean * mean);
    }
}
