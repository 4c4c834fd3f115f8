using System.Globalization;
using System.Text.Json.Nodes;

namespace EcoLora.Local.Bench;

/// <summary>A codec on one update.</summary>
/// <param name="Codec">Name of the codec, or of a bound.</param>
/// <param name="Data">Name of the data.</param>
/// <param name="Density">Kept fraction that was asked for.</param>
/// <param name="Entries">Entries of the update.</param>
/// <param name="Kept">Of these, kept.</param>
internal sealed record BenchRow(string Codec, string Data, double Density, int Entries, int Kept)
{
    private const string Missing = "–";

    /// <summary>Headings for <see cref="Cells"/>.</summary>
    public static IReadOnlyList<string> Headings { get; } =
        ["codec", "data", "density", "entries", "bits/kept", "encode GB/s", "/memcpy", "decode GB/s", "/memcpy", "note"];

    /// <summary>Bits per kept entry, everything included; null where it was not measured.</summary>
    public double? BitsPerKept { get; init; }

    /// <summary>Encoded bytes.</summary>
    public long? Bytes { get; init; }

    /// <summary>Dense binary16 bytes per second of encoding, in GB/s.</summary>
    public double? EncodeGbS { get; init; }

    /// <summary>Dense binary16 bytes per second of decoding, in GB/s.</summary>
    public double? DecodeGbS { get; init; }

    /// <summary>GB/s of the copy, measured between the encodings and decodings.</summary>
    public double? CopyGbS { get; init; }

    /// <summary>Managed bytes that one encoding and one decoding allocate.</summary>
    public long? Allocated { get; init; }

    /// <summary>Why there are no numbers, or null.</summary>
    public string? Absent { get; init; }

    /// <summary>What a reader must know, or empty.</summary>
    public string Note { get; init; } = "";

    /// <summary>Encoding speed over the copy's.</summary>
    public double? EncodeToMemcpy => EncodeGbS / CopyGbS;

    /// <summary>Decoding speed over the copy's.</summary>
    public double? DecodeToMemcpy => DecodeGbS / CopyGbS;

    /// <summary>The row for people.</summary>
    public IReadOnlyList<string> Cells =>
    [
        Codec, Data, Density.ToString(CultureInfo.InvariantCulture), Entries.ToString(CultureInfo.InvariantCulture), Fixed(BitsPerKept), Speed(EncodeGbS),
        Fixed(EncodeToMemcpy), Speed(DecodeGbS), Fixed(DecodeToMemcpy), Absent is null ? Note : $"absent: {Absent}",
    ];

    /// <summary>The row for programs.</summary>
    public JsonObject ToJson() => new()
    {
        ["codec"] = Codec,
        ["data"] = Data,
        ["density"] = Density,
        ["entries"] = Entries,
        ["kept"] = Kept,
        ["bytes"] = Bytes,
        ["bits_per_kept"] = Rounded(BitsPerKept),
        ["encode_gb_s"] = Rounded(EncodeGbS),
        ["decode_gb_s"] = Rounded(DecodeGbS),
        ["encode_to_memcpy"] = Rounded(EncodeToMemcpy),
        ["decode_to_memcpy"] = Rounded(DecodeToMemcpy),
        ["allocated_bytes"] = Allocated,
        ["absent"] = Absent,
        ["note"] = Note,
    };

    /// <summary>A number with three decimals, or a dash.</summary>
    public static string Fixed(double? value) => value?.ToString("f3", CultureInfo.InvariantCulture) ?? Missing;

    /// <summary>GB/s with about three significant digits, or a dash.</summary>
    public static string Speed(double? value) =>
        value?.ToString(value < 0.1 ? "f4" : value < 10 ? "f2" : "f1", CultureInfo.InvariantCulture) ?? Missing;

    /// <summary>A number with six decimals for JSON, or null.</summary>
    public static double? Rounded(double? value) => value is { } number ? Math.Round(number, 6) : null;
}

/// <summary>A kernel on one update.</summary>
/// <param name="Kernel">Its name.</param>
/// <param name="Data">Name of the data.</param>
/// <param name="Density">Kept fraction.</param>
/// <param name="Entries">Entries of the update.</param>
/// <param name="GbS">Speed in GB/s of the stream that <paramref name="Note"/> names.</param>
/// <param name="CopyGbS">GB/s of the copy in the same moments.</param>
/// <param name="Allocated">Managed bytes that one call allocates.</param>
/// <param name="Note">Which bytes are counted.</param>
internal sealed record KernelRow(string Kernel, string Data, double Density, int Entries, double GbS, double CopyGbS, long Allocated, string Note)
{
    /// <summary>Headings for <see cref="Cells"/>.</summary>
    public static IReadOnlyList<string> Headings { get; } = ["kernel", "data", "density", "entries", "GB/s", "/memcpy", "note"];

    /// <summary>Speed over the copy's.</summary>
    public double ToMemcpy => GbS / CopyGbS;

    /// <summary>The row for people.</summary>
    public IReadOnlyList<string> Cells =>
    [
        Kernel, Data, Density.ToString(CultureInfo.InvariantCulture), Entries.ToString(CultureInfo.InvariantCulture), BenchRow.Speed(GbS),
        BenchRow.Fixed(ToMemcpy), Note,
    ];

    /// <summary>The row for programs.</summary>
    public JsonObject ToJson() => new()
    {
        ["kernel"] = Kernel,
        ["data"] = Data,
        ["density"] = Density,
        ["entries"] = Entries,
        ["gb_s"] = BenchRow.Rounded(GbS),
        ["to_memcpy"] = BenchRow.Rounded(ToMemcpy),
        ["allocated_bytes"] = Allocated,
        ["note"] = Note,
    };
}
