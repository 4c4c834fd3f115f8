using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text.Json.Nodes;
using EcoLora.Numerics;
using EcoLora.TestKit;

namespace EcoLora.Codec.Tests;

/// <summary>The pinned bytes. With ECOLORA_WRITE_GOLDEN=1 they are written anew, which only a new version of the format may need.</summary>
public class GoldenFrameTests
{
    private static readonly string _folder = Path.Combine(Repository.Root, "tests", "EcoLora.Codec.Tests", "Golden");

    public static TheoryData<string> Names => [.. GoldenFrame.All.Select(frame => frame.Name)];

    [Theory]
    [MemberData(nameof(Names))]
    public void A_frame_is_written_with_the_pinned_bytes_on_every_path(string name)
    {
        GoldenFrame golden = GoldenFrame.All.Single(frame => frame.Name == name);
        byte[] destination = new byte[FrameEncoder.MaximumSize(golden.Header, golden.Layout, golden.Compression.Values)];
        if (Environment.GetEnvironmentVariable("ECOLORA_WRITE_GOLDEN") == "1")
        {
            byte[] written = FrameEncoder.Encode(golden.Header, golden.Layout, golden.Values(), golden.Compression);
            File.WriteAllBytes(Path.Combine(_folder, $"{name}.frame"), written);
        }
        byte[] pinned = File.ReadAllBytes(Path.Combine(_folder, $"{name}.frame"));
        foreach (SimdPath path in Paths.All)
        {
            foreach (int threads in (int[])[1, 3])
            {
                float[] values = golden.Values();
                int length = FrameEncoder.Encode(golden.Header, golden.Layout, values, golden.Compression, destination, new CodecExecution(threads, path));
                Assert.True(pinned.AsSpan().SequenceEqual(destination.AsSpan(0, length)), $"{path}, {threads} threads");
            }
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void The_pinned_bytes_are_read_as_what_was_sent_on_every_path(string name)
    {
        GoldenFrame golden = GoldenFrame.All.Single(frame => frame.Name == name);
        var frame = Frame.Open(File.ReadAllBytes(Path.Combine(_folder, $"{name}.frame")), golden.Layout);
        Assert.Equal(golden.Header, frame.Header);
        float[] change = golden.Values(), residual = golden.Values(), decoded = new float[change.Length];
        FrameEncoder.Encode(golden.Header, golden.Layout, residual, golden.Compression);
        foreach (SimdPath path in Paths.All)
        {
            Array.Fill(decoded, 99);
            frame.Decode(decoded, new CodecExecution(Path: path));
            // What is decoded and what is left are the change, but for the rounding of a sign's difference.
            for (int i = 0; i < change.Length; i++) Assert.Equal(change[i] - decoded[i], residual[i]);
        }
        if (Environment.GetEnvironmentVariable("ECOLORA_WRITE_GOLDEN") == "1") WriteIndex();
        JsonNode pinned = JsonNode.Parse(File.ReadAllBytes(Path.Combine(_folder, "frames.json")))!.AsArray().Single(c => (string)c!["name"]! == name)!;
        Assert.Equal((string)pinned["sha256"]!, DigestOf(decoded));
        FrameSizes sizes = frame.Measure();
        Assert.Equal((int)pinned["kept"]!, sizes.KeptA + sizes.KeptB);
    }

    private static string DigestOf(ReadOnlySpan<float> values) => Convert.ToHexStringLower(SHA256.HashData(MemoryMarshal.AsBytes(values)));

    private static void WriteIndex()
    {
        var frames = new JsonArray();
        foreach (GoldenFrame golden in GoldenFrame.All)
        {
            string file = $"{golden.Name}.frame";
            if (!File.Exists(Path.Combine(_folder, file))) return;
            var frame = Frame.Open(File.ReadAllBytes(Path.Combine(_folder, file)), golden.Layout);
            float[] decoded = new float[frame.Range.Length];
            frame.Decode(decoded);
            FrameSizes sizes = frame.Measure();
            frames.Add(new JsonObject
            {
                ["name"] = golden.Name,
                ["file"] = file,
                ["tensors"] = new JsonArray([.. golden.Layout.Tensors.Select(t => new JsonArray(t.Module, t.Role.ToString(), t.Rows, t.Columns))]),
                ["kind"] = (int)golden.Header.Kind,
                ["run"] = GoldenFrame.Run,
                ["round"] = golden.Header.Round,
                ["client"] = golden.Header.Client,
                ["segment"] = golden.Header.Segment,
                ["segments"] = golden.Header.Segments,
                ["baseVersion"] = golden.Header.BaseVersion,
                ["kept"] = sizes.KeptA + sizes.KeptB,
                ["sha256"] = DigestOf(decoded),
            });
        }
        File.WriteAllText(Path.Combine(_folder, "frames.json"), "[\n" + string.Join(",\n", frames.Select(f => "  " + f!.ToJsonString())) + "\n]\n");
    }
}
