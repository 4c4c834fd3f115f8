namespace EcoLora.Formats.Safetensors;

/// <summary>Element type that <see cref="SafetensorsFile"/> converts and <see cref="SafetensorsWriter"/> writes.</summary>
public enum TensorType
{
    /// <summary>IEEE 754 binary32.</summary>
    F32,

    /// <summary>IEEE 754 binary16.</summary>
    F16,

    /// <summary>The upper 16 bits of a binary32.</summary>
    BF16,
}

/// <summary>A tensor's entry in the header.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Type">The header's dtype text; <c>F32</c>, <c>F16</c> and <c>BF16</c> can be read as numbers.</param>
/// <param name="Shape">Its dimensions, row-major; empty for a single number.</param>
/// <param name="Offset">First byte, counted from the start of the file.</param>
/// <param name="ByteLength">Number of bytes.</param>
public sealed record TensorEntry(string Name, string Type, IReadOnlyList<long> Shape, long Offset, long ByteLength)
{
    /// <summary>The shape as an error message shows it: <c>2 × 64</c>, or <c>scalar</c>.</summary>
    public string ShapeText => TextOf(Shape);

    internal static string TextOf(IReadOnlyList<long> shape) => shape.Count == 0 ? "scalar" : string.Join(" × ", shape);

    /// <summary>Bytes per element of the dtypes that have whole bytes; 0 for any other text.</summary>
    internal static int SizeOf(string type) => type switch
    {
        "BOOL" or "U8" or "I8" or "F8_E4M3" or "F8_E5M2" or "F8_E8M0" => 1,
        "F16" or "BF16" or "U16" or "I16" => 2,
        "F32" or "U32" or "I32" => 4,
        "F64" or "U64" or "I64" or "C64" => 8,
        _ => 0,
    };
}
