using EcoLora.Codec;
using EcoLora.Numerics;

namespace EcoLora.Federation.Tests;

/// <summary>FLoRA's update rule against its definition (Wang et al. 2024): the stack's product is the weighted sum of the participants' products.</summary>
public class StackedChangeTests
{
    private const double Scale = 1.5;

    private static readonly RunPlan _plan = Plan([3, 1, 2]);

    [Fact]
    public void The_product_of_the_stack_is_the_sum_of_the_products_whatever_the_ranks()
    {
        AcceptedFrame[] accepted = [.. Enumerable.Range(0, 4).Select(client => Upload(_plan, client, slot: client))];
        float[] change = Merged(_plan, accepted);
        for (int module = 0, at = 0; module < 2; at += Entries(_plan, module++))
        {
            double[] sum = new double[Entries(_plan, module)];
            for (int client = 0; client < 4; client++) Add(sum, Product(_plan, client, module), Scale * (client + 1) / 10);
            double[] stacked = StackedProduct(_plan, module);
            for (int i = 0; i < sum.Length; i++)
            {
                Assert.Equal(sum[i], change[at + i], 1e-6);
                Assert.Equal(sum[i], Scale * stacked[i], 1e-12);
            }
            Assert.Contains(sum, value => Math.Abs(value) > 0.01);
        }
    }

    [Fact]
    public void One_weight_and_one_pair_of_rank_1_are_what_is_computed_by_hand()
    {
        RunPlan plan = Plan([1]) with { Modules = [new LoraModule("q", 2, 2, 1)], Scale = 2 };
        float[] fresh = plan.FreshAdapter(0, 1), local = [fresh[0] + 1, fresh[1] - 0.5f, 3, -2];
        float[] change = Merged(plan, [Upload(plan, 1, 0, local: local)]);
        // s·B·A with A = [a0 + 1, a1 − 0.5], B = [3, −2]ᵀ and the weight 2/2.
        Assert.Equal([2 * 3 * local[0], 2 * 3 * local[1], 2 * -2 * local[0], 2 * -2 * local[1]], change.Select(value => value), new Near(1e-6f));
    }

    [Fact]
    public void Weights_are_of_the_senders_of_the_segment_and_a_module_that_nobody_sent_keeps_its_value()
    {
        RunPlan plan = _plan with { Exchange = _plan.Exchange with { Segments = 2 } };
        float[] change = Merged(plan, [Upload(plan, 2, slot: 0, segment: 1), Upload(plan, 0, slot: 1, segment: 1)], start: 0.25f);
        int first = Entries(plan, 0);
        Assert.All(change[..first], value => Assert.Equal(0.25f, value));
        double[] sum = new double[Entries(plan, 1)];
        Add(sum, Product(plan, 2, 1), Scale * 3 / 4);
        Add(sum, Product(plan, 0, 1), Scale * 1 / 4);
        for (int i = 0; i < sum.Length; i++) Assert.Equal(0.25 + sum[i], change[first + i], 1e-6);
    }

    [Fact]
    public void The_sum_goes_by_slot_and_the_message_does_not_depend_on_arrival()
    {
        AcceptedFrame[] accepted = [.. new[] { 3, 0, 2 }.Select((client, slot) => Upload(_plan, client, slot))];
        Assert.Equal(StackedChange.Write(_plan, 0, accepted), StackedChange.Write(_plan, 0, accepted.Reverse()));
        Assert.Equal([3, 0, 2], StackFrame.Open(StackedChange.Write(_plan, 0, accepted)).Entries.Select(entry => entry.Client));
    }

    [Fact]
    public void What_arrives_is_the_fresh_adapter_and_the_decoded_change()
    {
        RunPlan plan = _plan with { Exchange = _plan.Exchange with { Segments = 2 } };
        AcceptedFrame sparse = Upload(plan, 0, 0, segment: 0, keep: 0.2);
        StackedPair pair = Assert.Single(StackedChange.Open(plan, 0, StackedChange.Write(plan, 0, [sparse])).PairsOf(0));
        Assert.Empty(StackedChange.Open(plan, 0, StackedChange.Write(plan, 0, [sparse])).PairsOf(1));
        float[] expected = plan.FreshAdapter(0, 0)[sparse.Frame.Range.Start..sparse.Frame.Range.End], decoded = new float[expected.Length];
        sparse.Frame.Decode(decoded);
        for (int i = 0; i < decoded.Length; i++) expected[i] += decoded[i];
        Assert.Equal((1.0, 3), (pair.Weight, pair.Rank));
        float[] found = [.. pair.A.ToArray(), .. pair.B.ToArray()];
        Assert.Equal(expected, found);
        Assert.Contains(decoded, value => value == 0);
    }

    [Fact]
    public void A_stack_that_is_not_this_runs_next_one_is_refused_before_anything_is_applied()
    {
        AcceptedFrame good = Upload(_plan, 0, 0);
        byte[] message = StackedChange.Write(_plan, 0, [good]);
        Refuses("run", _plan with { Run = "another" }, message);
        Refuses("layout", _plan with { Modules = [_plan.Modules[0]] }, message);
        Refuses("samples", _plan, StackedChange.Write(_plan, 0, [good with { Samples = 2 }]));
        Refuses("client", _plan with { Roster = [_plan.Roster[1] with { Client = 0, Samples = 1 }] }, StackedChange.Write(_plan, 0, [Upload(_plan, 3, 0)]));
        Refuses("layout", Plan([2, 2, 2]), message); // Client 0 has rank 3.
        Refuses("segments", _plan with { Exchange = _plan.Exchange with { Segments = 2 } }, message);
        var published = PublishedAdapter.Start(_plan);
        published.Apply(message);
        Assert.Equal("base version", Assert.Throws<FrameException>(() => published.Apply(message)).Field);
        Assert.Equal("kind", Assert.Throws<FrameException>(() => published.Apply(good.Frame.Bytes)).Field);
        Assert.Equal(1, published.Version);
    }

    [Theory]
    [InlineData("server_momentum")]
    [InlineData("mixing")]
    [InlineData("scale")]
    [InlineData("rank")]
    [InlineData("segments")]
    [InlineData("fedit")]
    public void A_plan_that_does_not_stack_is_refused(string what)
    {
        _plan.Validate();
        (RunPlan plan, string starts) = what switch
        {
            "server_momentum" => (_plan with { Exchange = _plan.Exchange with { ServerMomentum = 0.5 } }, "exchange.server_momentum: expected 0 with federation.method flora"),
            "mixing" => (_plan with { Exchange = _plan.Exchange with { MixingBeta = 1 } }, "exchange: expected no mixing"),
            "scale" => (_plan with { Scale = null }, "scale: expected above 0"),
            "rank" => (_plan with { Ranks = [4, 0] }, "lora.ranks: expected 1 to 1024, found 0"),
            "segments" => (_plan with { Exchange = _plan.Exchange with { Segments = 3 } }, "exchange.segments: expected at most 2, the number of modules"),
            _ => (_plan with { Method = "fedit", Scale = null }, "lora.ranks: expected none with federation.method fedit"),
        };
        Assert.StartsWith(starts, Assert.Throws<ArgumentException>(plan.Validate).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Ranks_and_scale_travel_in_the_plan_and_other_methods_have_neither()
    {
        string text = System.Text.Encoding.UTF8.GetString(ProtocolJson.Write(new RunOpened(_plan.Run, _plan)));
        Assert.Contains("\"scale\":1.5,\"ranks\":[3,1,2]", text, StringComparison.Ordinal);
        var read = (RunOpened)ProtocolJson.ReadRound(System.Text.Encoding.UTF8.GetBytes(text));
        Assert.Equal(_plan.ExchangedLayout(2).Fingerprint, read.Plan.ExchangedLayout(2).Fingerprint);
        text = System.Text.Encoding.UTF8.GetString(ProtocolJson.Write(new RunOpened("run-1", MadeUpPlan.Plan())));
        Assert.DoesNotContain("scale", text, StringComparison.Ordinal);
        Assert.DoesNotContain("ranks", text, StringComparison.Ordinal);
    }

    private static void Refuses(string field, RunPlan plan, byte[] message) =>
        Assert.Equal(field, Assert.Throws<FrameException>(() => StackedChange.Open(plan, 0, message)).Field);

    private static RunPlan Plan(IReadOnlyList<int> ranks)
    {
        RunPlan plan = MadeUpPlan.Plan(clients: 4, participants: 4, segments: 1);
        return plan with
        {
            Method = "flora",
            Scale = Scale,
            Ranks = ranks,
            Exchange = FederatedMethod.Flora.Effective(plan.Exchange),
            Modules = [new LoraModule("q", 5, 7, 2), new LoraModule("v", 3, 19, 2)],
        };
    }

    private static int Entries(RunPlan plan, int module) => plan.Modules[module].Outputs * plan.Modules[module].Inputs;

    /// <summary>A client's adapter after made-up training.</summary>
    private static float[] Local(RunPlan plan, int client)
    {
        float[] adapter = plan.FreshAdapter(0, client);
        var random = new RandomStream(1, "local", client);
        for (int i = 0; i < adapter.Length; i++) adapter[i] += (float)(0.5 * random.NextGaussian());
        return adapter;
    }

    private static AcceptedFrame Upload(RunPlan plan, int client, int slot, int segment = 0, double keep = 1, float[]? local = null)
    {
        LoraLayout layout = plan.ExchangedLayout(client);
        var header = new FrameHeader(FrameKind.Segment, plan.Key, 0, client, segment, plan.Exchange.Segments, 0, (uint)layout.Fingerprint);
        ClientUpload upload = ClientUpload.Make(header, layout, plan.Reference(0, client, []), local ?? Local(plan, client), [], 0, new Compression(keep, keep, ValueMode.Fp32));
        return new AcceptedFrame(slot, plan.EnrolmentOf(client).Samples, Frame.Open(upload.Frame, layout));
    }

    private static float[] Merged(RunPlan plan, IEnumerable<AcceptedFrame> accepted, float start = 0)
    {
        float[] change = new float[plan.Modules.Sum(module => module.Outputs * module.Inputs)];
        Array.Fill(change, start);
        StackedChange.Open(plan, 0, StackedChange.Write(plan, 0, accepted)).AddTo(change);
        return change;
    }

    /// <summary>B_k·A_k of a client, by the definition of a product.</summary>
    private static double[] Product(RunPlan plan, int client, int module)
    {
        LoraLayout layout = plan.AdapterLayout(client);
        float[] local = Local(plan, client);
        return Product([.. layout.Tensors[2 * module + 1].In(local.AsSpan()).ToArray().Select(value => (double)value)],
            [.. layout.Tensors[2 * module].In(local.AsSpan()).ToArray().Select(value => (double)value)], plan.Modules[module], plan.RankOf(client));
    }

    /// <summary>B·A of the paper's stack: A's rows p_k·A_k one below the other, B's columns B_k side by side.</summary>
    private static double[] StackedProduct(RunPlan plan, int module)
    {
        LoraModule shape = plan.Modules[module];
        int rank = Enumerable.Range(0, 4).Sum(plan.RankOf), first = 0;
        double[] a = new double[rank * shape.Inputs], b = new double[shape.Outputs * rank];
        for (int client = 0; client < 4; client++)
        {
            LoraLayout layout = plan.AdapterLayout(client);
            float[] local = Local(plan, client), ownA = layout.Tensors[2 * module].In(local.AsSpan()).ToArray(), ownB = layout.Tensors[2 * module + 1].In(local.AsSpan()).ToArray();
            int own = plan.RankOf(client);
            for (int i = 0; i < ownA.Length; i++) a[first * shape.Inputs + i] = (client + 1) / 10.0 * ownA[i];
            for (int row = 0; row < shape.Outputs; row++)
                for (int r = 0; r < own; r++)
                    b[row * rank + first + r] = ownB[row * own + r];
            first += own;
        }
        return Product(b, a, shape, rank);
    }

    private static double[] Product(double[] b, double[] a, LoraModule shape, int rank)
    {
        double[] product = new double[shape.Outputs * shape.Inputs];
        for (int row = 0; row < shape.Outputs; row++)
            for (int column = 0; column < shape.Inputs; column++)
                for (int r = 0; r < rank; r++)
                    product[row * shape.Inputs + column] += b[row * rank + r] * a[r * shape.Inputs + column];
        return product;
    }

    private static void Add(double[] sum, double[] product, double factor)
    {
        for (int i = 0; i < sum.Length; i++) sum[i] += factor * product[i];
    }

    private sealed class Near(float tolerance) : IEqualityComparer<float>
    {
        public bool Equals(float x, float y) => Math.Abs(x - y) <= tolerance;

        public int GetHashCode(float obj) => 0;
    }
}
