using System.Globalization;
using EcoLora.Codec;
using EcoLora.Formats.Safetensors;
using EcoLora.Services.Codec;

namespace EcoLora.Local.Runs;

/// <summary>
/// A client's change of one round before sparsification, ρR + Δ of its segment, as <c>run --keep-updates</c> leaves it: an FP32 safetensors file with one
/// tensor per piece of the segment, named as in a PEFT adapter. A whole tensor has its shape; one that the segment cuts has one dimension. Metadata:
/// <c>round</c>, <c>client</c>, <c>segment</c>, <c>segments</c>, and <c>start</c>, the index of the segment's first entry in the exchanged vector.
/// </summary>
public static class KeptUpdate
{
    /// <summary>Name of the folder in a run's folder.</summary>
    public const string Folder = "updates";

    /// <summary>What every file's name ends with.</summary>
    public const string Extension = ".safetensors";

    /// <summary>Writes the file, whole or not at all; the same change writes the same bytes again.</summary>
    /// <exception cref="IOException">The disk refused.</exception>
    public static void Write(string folder, AcceptedChange change)
    {
        SegmentRange range = change.Layout.Range(change.Segment, change.Segments);
        IEnumerable<SafetensorsTensor> pieces = Pieces(change.Layout, range)
            .Select(piece => new SafetensorsTensor(NameOf(piece.Tensor), ShapeOf(piece), change.Values.Slice(piece.Start, piece.Length)));
        var metadata = new Dictionary<string, string>
        {
            ["round"] = Text(change.Round),
            ["client"] = Text(change.Client),
            ["segment"] = Text(change.Segment),
            ["segments"] = Text(change.Segments),
            ["start"] = Text(range.Start),
        };
        SafetensorsWriter.Write(Path.Combine(folder, NameOf(change.Round, change.Client)), pieces, TensorType.F32, metadata);
    }

    /// <summary>Reads what <see cref="Write"/> wrote.</summary>
    /// <param name="path">The file.</param>
    /// <param name="layout">The sender's layout.</param>
    /// <param name="range">The segment.</param>
    /// <returns>[segment].</returns>
    public static float[] Read(string path, LoraLayout layout, SegmentRange range)
    {
        using SafetensorsFile kept = SafetensorsFile.Open(path);
        float[] values = new float[range.Length];
        foreach (SegmentPiece piece in Pieces(layout, range)) kept.Read(NameOf(piece.Tensor), values.AsSpan(piece.Start, piece.Length));
        return values;
    }

    /// <summary>The file's name.</summary>
    public static string NameOf(int round, int client) => $"round-{round:d5}-client-{client:d5}{Extension}";

    /// <summary>The name that a PEFT adapter gives a tensor.</summary>
    public static string NameOf(LoraTensor tensor) => $"base_model.model.{tensor.Module}.lora_{tensor.Role}.weight";

    private static IEnumerable<SegmentPiece> Pieces(LoraLayout layout, SegmentRange range) =>
        new[] { LoraRole.A, LoraRole.B }.SelectMany(role => Segmentation.Pieces(layout, range, role));

    private static int[] ShapeOf(SegmentPiece piece) =>
        piece.Length == piece.Tensor.Length ? [piece.Tensor.Rows, piece.Tensor.Columns] : [piece.Length];

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);
}
