using System.Globalization;
using System.Text.Json;
using EcoLora.TestKit;

namespace EcoLora.Codec.Tests;

/// <summary>The pinned bytes: frames that tools/golden/codec_frames.py, an independent implementation of FORMAT.md, has written.</summary>
public class GoldenFrameTests
{
    private static readonly JsonElement[] _cases = [.. JsonDocument.Parse(File.ReadAllBytes(
        Path.Combine(Repository.Root, "tests", "EcoLora.Codec.Tests", "Golden", "frames.json"))).RootElement.EnumerateArray()];

    public static TheoryData<string> Names => [.. _cases.Select(c => c.GetProperty("name").GetString()!)];

    [Theory]
    [MemberData(nameof(Names))]
    public void A_frame_is_written_with_the_pinned_bytes(string name)
    {
        JsonElement golden = Case(name);
        LoraLayout layout = Layout(golden);
        float[] change = Floats(golden, "change"), sent = new float[change.Length], residual = new float[change.Length];
        ValueMode mode = golden.GetProperty("fp16").GetBoolean() ? ValueMode.Fp16 : ValueMode.Fp32;
        var compression = new Compression(golden.GetProperty("keepA").GetDouble(), golden.GetProperty("keepB").GetDouble(), mode);
        byte[] frame = FrameEncoder.Encode(Header(golden, layout), layout, change, compression, sent, residual);
        Assert.Equal(golden.GetProperty("frame").GetString(), Convert.ToHexStringLower(frame));
        Assert.Equal(MadeUpVectors.Bits(Floats(golden, "sent")), MadeUpVectors.Bits(sent));
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void The_pinned_bytes_are_read_as_what_was_sent(string name)
    {
        JsonElement golden = Case(name);
        LoraLayout layout = Layout(golden);
        Frame frame = Frame.Read(Convert.FromHexString(golden.GetProperty("frame").GetString()!), layout);
        float[] decoded = new float[frame.Range.Length];
        frame.Decode(decoded);
        Assert.Equal(Header(golden, layout), frame.Header);
        Assert.Equal(MadeUpVectors.Bits(Floats(golden, "sent")), MadeUpVectors.Bits(decoded));
    }

    private static JsonElement Case(string name) => _cases.Single(c => c.GetProperty("name").GetString() == name);

    private static LoraLayout Layout(JsonElement golden)
    {
        var tensors = new List<LoraTensor>();
        foreach (JsonElement tensor in golden.GetProperty("tensors").EnumerateArray())
        {
            LoraRole role = tensor[1].GetString() == "A" ? LoraRole.A : LoraRole.B;
            tensors.Add(new LoraTensor(tensor[0].GetString()!, role, tensor[2].GetInt32(), tensor[3].GetInt32(), tensors.Count == 0 ? 0 : tensors[^1].End));
        }
        return new LoraLayout(tensors);
    }

    private static FrameHeader Header(JsonElement golden, LoraLayout layout)
    {
        ulong run = FrameHeader.KeyOf(golden.GetProperty("run").GetString()!);
        return new FrameHeader((FrameKind)Number("kind"), run, Number("round"), Number("client"), Number("segment"), Number("segments"), Number("base"),
            (uint)layout.Fingerprint);

        int Number(string name) => golden.GetProperty(name).GetInt32();
    }

    private static float[] Floats(JsonElement golden, string name)
    {
        string text = golden.GetProperty(name).GetString()!;
        float[] values = new float[text.Length / 8];
        for (int i = 0; i < values.Length; i++)
            values[i] = BitConverter.UInt32BitsToSingle(uint.Parse(text.AsSpan(i * 8, 8), NumberStyles.HexNumber, CultureInfo.InvariantCulture));
        return values;
    }
}
