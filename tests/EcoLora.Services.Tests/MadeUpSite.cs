using EcoLora.Codec;
using EcoLora.Federation;

namespace EcoLora.Services.Tests;

/// <summary>A run of two sites whose adapter is larger than one piece: clients 0 to 2 live at site a, client 3 at b; 0 and 1 take part in round 0.</summary>
internal static class MadeUpSite
{
    public static RunPlan Plan { get; } = new(
        "run-1", 11, "fedit", 2, 2, 2, new ExchangeOptions { Segments = 2 }, [new LoraModule("q", 1000, 1000, 128)],
        [new Enrolment(0, 0, 1), new Enrolment(1, 0, 2), new Enrolment(2, 0, 3), new Enrolment(3, 1, 4)])
    {
        Places = [new SitePlace("a", [0]), new SitePlace("b", [0])],
        Evaluator = "trainer-a-0",
    };

    public static RunOpened Opened { get; } = new("run-1", Plan);

    public static RoundOpened Round { get; } = new("run-1", 0, [new Participant(0, 0, 0), new Participant(1, 1, 1)], 0.5, 0.25, false);

    public static LoraLayout Layout { get; } = Plan.AdapterLayout();

    /// <summary>Q^0.</summary>
    public static float[] Initial => Plan.FederatedMethod.InitialReference(Layout, Plan.Seed);

    /// <summary>The change from version 0 to 1.</summary>
    public static byte[] Change()
    {
        double[] update = [.. Enumerable.Range(0, Layout.Length).Select(i => Math.Sin(i))];
        var header = new FrameHeader(FrameKind.GlobalChange, Plan.Key, 0, FrameHeader.Aggregator, 0, 1, 0, (uint)Layout.Fingerprint);
        return Aggregation.Publish(header, Layout, update, new float[Layout.Length], new Compression(0.5, 0.25, ValueMode.Fp16));
    }

    /// <summary>Q^1.</summary>
    public static float[] Next()
    {
        var published = new PublishedAdapter(Plan.Key, Layout, 0, Initial);
        published.Apply(Change());
        return published.Values.ToArray();
    }

    /// <summary>What client 1 has trained in round 0.</summary>
    public static LocalUpdate Update { get; } = new(0, 1, 0.25, Initial.Select((value, i) => value + 0.01f * (i % 7 - 3)).ToArray());

    /// <summary>The frame that its codec makes of it.</summary>
    public static byte[] Frame()
    {
        var header = new FrameHeader(FrameKind.Segment, Plan.Key, 0, 1, 1, 2, 0, (uint)Layout.Fingerprint);
        double feedback = Mixing.FeedbackShare(Plan.Exchange.Feedback, Update.MixingWeight);
        return ClientUpload.Make(header, Layout, Initial, Update.Adapter.Span, [], feedback, new Compression(0.5, 0.25, Plan.Exchange.Values, Plan.Exchange.Coding)).Frame;
    }
}
