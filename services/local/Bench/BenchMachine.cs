using System.Globalization;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;
using System.Text.Json.Nodes;

namespace EcoLora.Local.Bench;

/// <summary>What the numbers were measured on.</summary>
/// <param name="Cpu">Model of the processor.</param>
/// <param name="InstructionSets">Those that the codec can use.</param>
/// <param name="Path">Code path that was asked for.</param>
/// <param name="Dotnet">Version of .NET.</param>
/// <param name="Zstd">Version of the library, or why it is absent.</param>
/// <param name="Lzma">Version of the library, or why it is absent.</param>
/// <param name="CopyGbS">Best GB/s of copying 64 MiB, or null when nothing was timed.</param>
/// <param name="Date">Day of the run, UTC.</param>
internal sealed record BenchMachine(
    string Cpu, string InstructionSets, string Path, string Dotnet, string Zstd, string Lzma, double? CopyGbS, string Date)
{
    /// <summary>This machine.</summary>
    public static BenchMachine Of(string path, ZstdLibrary zstd, LzmaLibrary lzma, double? copyGbS) => new(
        CpuModel(), Sets(), path, Environment.Version.ToString(), zstd.Version ?? $"absent: {zstd.Absent}", lzma.Version ?? $"absent: {lzma.Absent}", copyGbS,
        DateTime.UtcNow.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture));

    /// <summary>One line for people.</summary>
    public string Line =>
        $"{Cpu} ({InstructionSets}), path {Path}, .NET {Dotnet}, zstd {Zstd}, liblzma {Lzma}, memcpy {BenchRow.Speed(CopyGbS)} GB/s, one thread, {Date}";

    /// <summary>The member <c>machine</c>.</summary>
    public JsonObject ToJson() => new()
    {
        ["cpu"] = Cpu,
        ["isa"] = InstructionSets,
        ["path"] = Path,
        ["threads"] = 1,
        ["dotnet"] = Dotnet,
        ["libraries"] = new JsonObject { ["zstd"] = Zstd, ["lzma"] = Lzma, ["brotli"] = $".NET {Dotnet}" },
        ["memcpy_gb_s"] = BenchRow.Rounded(CopyGbS),
        ["memcpy_bytes"] = CopyReference.Bytes,
        ["date"] = Date,
    };

    /// <summary>Model of the processor.</summary>
    public static string CpuModel()
    {
        const string Field = "model name", Facts = "/proc/cpuinfo";
        string? line = File.Exists(Facts) ? File.ReadLines(Facts).FirstOrDefault(text => text.StartsWith(Field, StringComparison.Ordinal)) : null;
        return line is null ? RuntimeInformation.ProcessArchitecture.ToString() : line[(line.IndexOf(':', StringComparison.Ordinal) + 1)..].Trim();
    }

    private static string Sets()
    {
        (string Name, bool Supported)[] sets =
        [
            ("AdvSIMD", AdvSimd.Arm64.IsSupported), ("SSE4.1", Sse41.IsSupported), ("AVX2", Avx2.IsSupported), ("AVX-512F", Avx512F.IsSupported),
            ("AVX-512BW", Avx512BW.IsSupported), ("AVX-512VBMI", Avx512Vbmi.IsSupported), ("AVX-512VBMI2", Avx512Vbmi2.IsSupported),
        ];
        string names = string.Join(", ", sets.Where(set => set.Supported).Select(set => set.Name));
        return names.Length > 0 ? names : "no vectors";
    }
}
