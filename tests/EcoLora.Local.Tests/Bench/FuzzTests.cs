using EcoLora.Codec;
using EcoLora.Local.Bench;
using EcoLora.Numerics;
using EcoLora.TestKit;

namespace EcoLora.Local.Tests.Bench;

/// <summary>Fuzz runs count what they allocate, so nothing else may use the codec's work areas meanwhile.</summary>
[CollectionDefinition(nameof(FuzzTests), DisableParallelization = true)]
public sealed class FuzzCollection;

/// <summary>A fuzz run finds nothing in the decoder, and everything that is planted.</summary>
[Collection(nameof(FuzzTests))]
public sealed class FuzzTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    private string Findings => _folder["findings"];

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void A_short_run_meets_most_kinds_of_verdict_and_finds_nothing()
    {
        FuzzReport report = Run(new FuzzOptions(200_000, 5, 2, Findings));
        Assert.True(report.FindingCount == 0, string.Join('\n', report.Findings));
        Assert.InRange(report.Shapes.RefusedCount, 75, 200);
        Assert.InRange(report.Shapes.AcceptedCount, 250, int.MaxValue);
        Assert.All(report.Totals, path =>
        {
            Assert.Equal(report.Totals[0].Frames, path.Frames);
            Assert.InRange(path.Mutated, 200_000, 210_000);
            Assert.InRange(path.Accepted, path.Frames / 25, path.Frames / 2);
        });
        Assert.False(Directory.Exists(Findings));
    }

    [Fact]
    public void The_same_seed_gives_the_same_frames()
    {
        uint first = Checksum(7);
        Assert.Equal(first, Checksum(7));
        Assert.NotEqual(first, Checksum(8));

        uint Checksum(ulong seed)
        {
            uint checksum = 0;
            Run(new FuzzOptions(10_000, seed, 1, Findings)
            {
                Judge = () => new PlantedJudge((frame, path, verdict) =>
                {
                    checksum = Crc32C.Continue(checksum, frame.Span);
                    return verdict;
                }),
            });
            return checksum;
        }
    }

    [Theory]
    [InlineData("IndexOutOfRangeException")]
    [InlineData("a contradiction")]
    [InlineData("an allocation")]
    [InlineData("a refused valid frame")]
    [InlineData("another verdict")]
    public void A_planted_defect_is_found_and_its_frame_written(string kind)
    {
        SimdPath last = FuzzRun.Paths.Last(path => path.IsHere).Path;
        Assert.SkipWhen(kind == "another verdict" && last == SimdPath.Scalar, "this machine has no vector path");
        byte[]? culprit = null;
        FuzzReport report = Run(new FuzzOptions(20_000, 3, 1, Findings)
        {
            Judge = () => new PlantedJudge((frame, path, verdict) =>
            {
                // A defect that one accepted frame in sixteen meets.
                if (path != last || !verdict.IsAccepted || verdict.Digest % 16 != 0) return verdict;
                culprit ??= frame.ToArray();
                return kind switch
                {
                    "IndexOutOfRangeException" => verdict with { Digest = frame.Span[frame.Length] },
                    "a contradiction" => throw new ContradictionException("planted"),
                    // Not `new`, which the compiler may leave out.
                    "an allocation" => verdict with { Identity = GC.AllocateUninitializedArray<byte>(8 << 20).Length > 0 ? null : "" },
                    "another verdict" => verdict with { Digest = verdict.Digest + 1 },
                    _ => verdict,
                };
            }, refuse: kind == "a refused valid frame"),
        });
        Assert.True(report.FindingCount > 0);
        FuzzFinding finding = report.Findings[0];
        Assert.Equal(kind, finding.Kind);
        Assert.Contains("seed 3, thread 0 of 1", finding.Origin, StringComparison.Ordinal);
        if (kind is not ("a refused valid frame" or "an allocation")) Assert.Equal(culprit, File.ReadAllBytes(finding.File));
        Assert.Contains(finding.Details, File.ReadAllText(Path.ChangeExtension(finding.File, ".txt")), StringComparison.Ordinal);
        Assert.Equal((long)report.ToJson()["findings"]!, report.FindingCount);
    }

    [Fact]
    public void A_planted_endless_loop_is_found_and_ends_the_run()
    {
        using var release = new ManualResetEventSlim();
        byte[]? culprit = null, mapped = null;
        FuzzReport report = Run(new FuzzOptions(1_000_000_000, 3, 1, Findings)
        {
            Patience = TimeSpan.FromSeconds(1),
            Judge = () => new PlantedJudge((frame, path, verdict) =>
            {
                if (culprit is not null || verdict.IsAccepted) return verdict;
                culprit = frame.ToArray();
                mapped = File.ReadAllBytes(Directory.GetFiles(Findings, "reading-*.bin").Single());
                release.Wait();
                return verdict;
            }),
        });
        release.Set();
        FuzzFinding finding = report.Findings.First(finding => finding.Kind == "no verdict");
        Assert.Equal(culprit, File.ReadAllBytes(finding.File));
        // What is read is in a file also while it is read, for a process that dies.
        Assert.Equal(culprit!.Length, BitConverter.ToInt32(mapped));
        Assert.Equal(culprit, mapped![^culprit.Length..]);
    }

    [Fact]
    public void Frames_with_made_up_choices_are_valid()
    {
        var random = new RandomStream(4, "chosen");
        using var judge = new FrameJudge();
        var shapes = new VerdictShapes();
        for (int i = 0; i < 1500; i++)
        {
            BaseFrame frame = ChosenFrame.Make(random);
            Verdict[] verdicts = [.. FuzzRun.Paths.Select(path => judge.Judge(frame.Bytes, FuzzLayouts.All[frame.Layout], path.Path))];
            Assert.True(verdicts[0].IsAccepted, verdicts[0].Refusal);
            Assert.All(verdicts, verdict => Assert.Equal(verdicts[0], verdict));
            shapes.Add(verdicts[0], frame.Bytes);
        }
        Assert.InRange(shapes.AcceptedCount, 400, int.MaxValue);
        Assert.Contains(shapes.Accepted, kind => kind.Shape.Contains("128 lanes, 9 to 16 classes, depth 5", StringComparison.Ordinal));
    }

    [Fact]
    public void Lengths_follow_what_comes_and_goes()
    {
        BaseFrame start = WrittenFrames.Make(1)[0];
        using var judge = new FrameJudge();
        var frame = new MutableFrame();
        frame.Load(start.Bytes);
        Assert.Equal(5, frame.Replace(40, 0, [200, 1, 2, 3, 4])); // H is 40: into the parameters.
        frame.Seal();
        Assert.StartsWith("frame: value mode: ", Refusal(), StringComparison.Ordinal);

        frame.Load(start.Bytes);
        (int begin, int end) = frame.Map.Chunk(frame.Map.Chunks - 1);
        Assert.Equal(3, frame.Replace(end, 0, [1, 2, 3]));
        Assert.Equal((begin, end + 3), frame.Map.Chunk(frame.Map.Chunks - 1));
        frame.Seal();
        Assert.Equal("frame: chunk: expected its end, found 3 more bytes", Refusal());

        Assert.Equal(3, frame.Replace(end, 3, []));
        frame.Seal();
        Assert.Equal(start.Bytes, frame.Bytes.ToArray());

        string Refusal() => judge.Judge(frame.Bytes.ToArray(), FuzzLayouts.All[start.Layout], SimdPath.Scalar).Refusal!;
    }

    [Fact]
    public void The_page_behind_guarded_memory_may_not_be_touched()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "pages are guarded on Linux only");
        var memory = new GuardedMemory(5000);
        memory.Last(1).Span[0] = 1;
        string page = $"{memory.End:x}-{memory.End + Environment.SystemPageSize:x} ---p";
        Assert.Contains(File.ReadLines("/proc/self/maps"), line => line.StartsWith(page, StringComparison.Ordinal));
        memory.Free();
    }

    [Fact]
    public void The_command_prints_totals_of_every_path()
    {
        string text = Ecolora.Succeed("bench", "fuzz", "--bytes", "5000", "--threads", "1", "--out", Findings, "--json");
        System.Text.Json.Nodes.JsonNode json = System.Text.Json.Nodes.JsonNode.Parse(text)!;
        Assert.Equal("bench-fuzz", (string?)json["kind"]);
        Assert.Equal(FuzzRun.Paths.Count, json["paths"]!.AsArray().Count + json["absent"]!.AsArray().Count);
        Assert.All(json["paths"]!.AsArray(), path => Assert.InRange((long)path!["mutated_bytes"]!, 5000, 6000));
        Assert.Equal(0, (long)json["findings"]!);
    }

    private static FuzzReport Run(FuzzOptions options) => FuzzRun.Run(options, TextWriter.Null, TestContext.Current.CancellationToken);

    /// <summary>The real judge, whose verdicts something is done to.</summary>
    private sealed class PlantedJudge(Func<ReadOnlyMemory<byte>, SimdPath, Verdict, Verdict> defect, bool refuse = false) : IFrameJudge
    {
        private readonly FrameJudge _judge = new();

        public Verdict Judge(ReadOnlyMemory<byte> bytes, LoraLayout layout, SimdPath path)
        {
            Verdict verdict = _judge.Judge(bytes, layout, path);
            return refuse ? verdict with { Refusal = "planted" } : defect(bytes, path, verdict);
        }

        public void Dispose() => _judge.Dispose();
    }
}
