using System.Runtime.InteropServices;

namespace EcoLora.Local.Bench;

/// <summary>The system's zstd (zstd.h, simple API, one thread).</summary>
internal sealed unsafe class ZstdLibrary
{
    private readonly delegate* unmanaged<byte*, nuint, byte*, nuint, int, nuint> _compress;
    private readonly delegate* unmanaged<byte*, nuint, byte*, nuint, nuint> _decompress;
    private readonly delegate* unmanaged<nuint, nuint> _bound;
    private readonly delegate* unmanaged<nuint, uint> _isError;

    public ZstdLibrary(string name = "libzstd.so.1")
    {
        var library = new SharedLibrary(name, "ZSTD_compress", "ZSTD_decompress", "ZSTD_compressBound", "ZSTD_isError", "ZSTD_versionString");
        Absent = library.Absent;
        if (Absent is not null) return;
        _compress = (delegate* unmanaged<byte*, nuint, byte*, nuint, int, nuint>)library["ZSTD_compress"];
        _decompress = (delegate* unmanaged<byte*, nuint, byte*, nuint, nuint>)library["ZSTD_decompress"];
        _bound = (delegate* unmanaged<nuint, nuint>)library["ZSTD_compressBound"];
        _isError = (delegate* unmanaged<nuint, uint>)library["ZSTD_isError"];
        Version = Marshal.PtrToStringAnsi(((delegate* unmanaged<nint>)library["ZSTD_versionString"])());
    }

    /// <summary>Why it cannot be used, or null.</summary>
    public string? Absent { get; }

    /// <summary>The library's version, or null.</summary>
    public string? Version { get; }

    /// <summary>A compressor of one level.</summary>
    public IByteCompressor At(int level) => new Level(this, level);

    private int Checked(nuint result) => _isError(result) == 0 ? (int)result : throw new InvalidOperationException("zstd failed");

    private sealed class Level(ZstdLibrary library, int level) : IByteCompressor
    {
        public int MaximumSize(int length) => checked((int)library._bound((nuint)length));

        public int Compress(ReadOnlySpan<byte> source, Span<byte> destination)
        {
            fixed (byte* from = source)
            fixed (byte* to = destination)
                return library.Checked(library._compress(to, (nuint)destination.Length, from, (nuint)source.Length, level));
        }

        public void Decompress(ReadOnlySpan<byte> source, Span<byte> destination)
        {
            fixed (byte* from = source)
            fixed (byte* to = destination)
            {
                int written = library.Checked(library._decompress(to, (nuint)destination.Length, from, (nuint)source.Length));
                if (written != destination.Length) throw new InvalidOperationException($"zstd gave {written} of {destination.Length} bytes");
            }
        }
    }
}
