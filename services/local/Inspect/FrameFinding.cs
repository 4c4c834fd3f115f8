using System.Text.Json.Nodes;
using EcoLora.Codec;
using EcoLora.Federation;
using EcoLora.Formats.Peft;

namespace EcoLora.Local;

/// <summary>A frame: who sent what, and in how many bytes.</summary>
internal static class FrameFinding
{
    private const long LargestFrame = 1L << 30;

    public static Finding Of(string path, string? layoutFolder)
    {
        long length = new FileInfo(path).Length;
        if (length > LargestFrame) throw new FormatException($"{path}: expected a frame of at most {LargestFrame} bytes, found {length}");
        byte[] bytes = File.ReadAllBytes(path);
        try
        {
            FrameHeader header = Frame.ReadHeader(bytes);
            var json = new JsonObject
            {
                ["kind"] = "frame",
                ["carries"] = header.Kind switch { FrameKind.Segment => "segment", FrameKind.Stack => "stack", _ => "global change" },
                ["runKey"] = header.RunKey.ToString("x16", null),
                ["round"] = header.Round,
                ["client"] = header.Client == FrameHeader.Aggregator ? null : header.Client,
                ["segment"] = header.Segment,
                ["segments"] = header.Segments,
                ["baseVersion"] = header.BaseVersion,
                ["layoutKey"] = header.LayoutKey.ToString("x8", null),
                ["digest"] = Frame.DigestOf(bytes),
                ["framedBytes"] = bytes.Length,
            };
            if (layoutFolder is not null) AddSizes(json, Frame.Open(bytes, LayoutOf(layoutFolder, header, path)).Measure());
            var rows = json.Skip(1).Select(member => new[] { Words(member.Key), member.Value?.ToString() ?? "–" });
            return new Finding(json, [new ResultTable($"Frame: {header}", ["field", "value"], [.. rows])]);
        }
        catch (FrameException refused)
        {
            throw new FormatException($"{path}: {refused.Message}", refused);
        }
    }

    /// <summary>A member's name as words: <c>baseVersion</c> is "base version".</summary>
    private static string Words(string name) => string.Concat(name.Select(c => char.IsUpper(c) ? $" {char.ToLowerInvariant(c)}" : c.ToString()));

    private static void AddSizes(JsonObject json, FrameSizes sizes)
    {
        json["entriesA"] = sizes.EntriesA;
        json["keptA"] = sizes.KeptA;
        json["entriesB"] = sizes.EntriesB;
        json["keptB"] = sizes.KeptB;
        json["segmentBytes"] = sizes.Segment;
        json["sparseBytes"] = sizes.Sparse;
        json["golombBytes"] = sizes.Golomb;
        json["codedBytes"] = sizes.Coded;
    }

    /// <summary>The exchanged layout of the adapter whose fingerprint the frame names: all of it, or only B (FFA-LoRA).</summary>
    private static LoraLayout LayoutOf(string folder, FrameHeader header, string path)
    {
        IReadOnlyList<PeftModule> modules = PeftAdapter.Read(folder).Modules;
        LoraLayout whole = LoraLayout.Of(modules.Select(module => new LoraModule(module.Name, module.Outputs, module.Inputs, module.Rank)));
        IEnumerable<LoraLayout> exchanged = FederatedMethod.All.Select(method => method.ExchangedLayout(whole));
        LoraLayout? fitting = exchanged.FirstOrDefault(layout => (uint)layout.Fingerprint == header.LayoutKey);
        return fitting ?? throw new FormatException($"{path}: expected a frame of the layout of {folder}, found one of layout {header.LayoutKey:x8}");
    }
}
