using EcoLora.Codec;
using EcoLora.Federation;
using EcoLora.Formats.Safetensors;
using EcoLora.Services.Scheduler;
using EcoLora.TestKit;

namespace EcoLora.EndToEnd.Tests;

/// <summary><c>ecolora run --keep-updates</c>.</summary>
public class KeptUpdateTests
{
    [Fact]
    public async Task Kept_changes_code_to_the_frames_that_the_run_accepted_and_nothing_else_changes()
    {
        using var folder = new TemporaryFolder();
        string file = RealRun.File(folder);
        await RealRun.SucceedAsync(file, "--out", folder["plain"]);
        await RealRun.SucceedAsync(file, "--out", folder["kept"], "--keep-updates");

        SortedDictionary<string, string> outcome = RealRun.Outcome(folder["kept"]);
        string[] kept = [.. outcome.Keys.Where(name => name.StartsWith("updates/", StringComparison.Ordinal))];
        foreach (string name in kept) outcome.Remove(name);
        Assert.Equal(RealRun.Outcome(folder["plain"]), outcome);

        RoundMessage[] decided = [.. Journal.Read(folder["kept/state/small/scheduler/small.journal.jsonl"]).OfType<Decided>().Select(entry => entry.Message)];
        RunPlan plan = decided.OfType<RunOpened>().Single().Plan;
        RoundClosed[] closed = [.. decided.OfType<RoundClosed>()];
        Assert.Equal(plan.Rounds * plan.Participants, closed.Sum(round => round.Accepted.Count));
        Assert.Equal(closed.SelectMany(round => round.Accepted.Select(a => $"updates/{NameOf(round, a)}")).Order(StringComparer.Ordinal), kept);
        foreach (RoundClosed round in closed)
        {
            RoundOpened opened = decided.OfType<RoundOpened>().Single(o => o.Round == round.Round);
            foreach (AcceptedSegment accepted in round.Accepted)
                Assert.Equal(accepted.Digest, DigestOfKept(plan, opened, accepted, folder[$"kept/updates/{NameOf(round, accepted)}"]));
        }
    }

    private static string NameOf(RoundClosed round, AcceptedSegment accepted) => $"round-{round.Round:d5}-client-{accepted.Client:d5}.safetensors";

    private static string DigestOfKept(RunPlan plan, RoundOpened opened, AcceptedSegment accepted, string path)
    {
        LoraLayout layout = plan.FederatedMethod.ExchangedLayout(plan.AdapterLayout());
        var header = new FrameHeader(
            FrameKind.Segment, plan.Key, opened.Round, accepted.Client, accepted.Segment, plan.Exchange.Segments, opened.Round, (uint)layout.Fingerprint);
        SegmentRange range = header.Range(layout);
        float[] change = new float[range.Length];
        using (SafetensorsFile kept = SafetensorsFile.Open(path))
        {
            string[] facts = ["round", "client", "segment", "segments", "start"];
            Assert.Equal(
                [$"{opened.Round}", $"{accepted.Client}", $"{accepted.Segment}", $"{plan.Exchange.Segments}", $"{range.Start}"],
                facts.Select(name => kept.Metadata[name]));
            SegmentPiece[] pieces = [.. Segmentation.Pieces(layout, range, LoraRole.A), .. Segmentation.Pieces(layout, range, LoraRole.B)];
            Assert.Equal(pieces.Length, kept.Tensors.Count);
            foreach (SegmentPiece piece in pieces)
                kept.Read($"base_model.model.{piece.Tensor.Module}.lora_{piece.Tensor.Role}.weight", change.AsSpan(piece.Start, piece.Length));
        }
        var compression = new Compression(opened.KeepA, opened.KeepB, plan.Exchange.Values);
        return Frame.DigestOf(FrameEncoder.Encode(header, layout, change, compression));
    }
}
