using System.Runtime.InteropServices;

namespace EcoLora.Local.Bench;

/// <summary>The system's liblzma (lzma/container.h, single-call API, one thread): whole .xz streams with a CRC-32.</summary>
internal sealed unsafe class LzmaLibrary
{
    private const int CheckCrc32 = 1;

    private readonly delegate* unmanaged<uint, int, void*, byte*, nuint, byte*, nuint*, nuint, int> _encode;
    private readonly delegate* unmanaged<ulong*, uint, void*, byte*, nuint*, nuint, byte*, nuint*, nuint, int> _decode;
    private readonly delegate* unmanaged<nuint, nuint> _bound;

    public LzmaLibrary(string name = "liblzma.so.5")
    {
        var library = new SharedLibrary(name, "lzma_easy_buffer_encode", "lzma_stream_buffer_decode", "lzma_stream_buffer_bound", "lzma_version_string");
        Absent = library.Absent;
        if (Absent is not null) return;
        _encode = (delegate* unmanaged<uint, int, void*, byte*, nuint, byte*, nuint*, nuint, int>)library["lzma_easy_buffer_encode"];
        _decode = (delegate* unmanaged<ulong*, uint, void*, byte*, nuint*, nuint, byte*, nuint*, nuint, int>)library["lzma_stream_buffer_decode"];
        _bound = (delegate* unmanaged<nuint, nuint>)library["lzma_stream_buffer_bound"];
        Version = Marshal.PtrToStringAnsi(((delegate* unmanaged<nint>)library["lzma_version_string"])());
    }

    /// <summary>Why it cannot be used, or null.</summary>
    public string? Absent { get; }

    /// <summary>The library's version, or null.</summary>
    public string? Version { get; }

    /// <summary>A compressor of one preset.</summary>
    public IByteCompressor At(uint preset) => new Preset(this, preset);

    private sealed class Preset(LzmaLibrary library, uint preset) : IByteCompressor
    {
        public int MaximumSize(int length) => checked((int)library._bound((nuint)length));

        public int Compress(ReadOnlySpan<byte> source, Span<byte> destination)
        {
            nuint written = 0;
            fixed (byte* from = source)
            fixed (byte* to = destination)
                Check(library._encode(preset, CheckCrc32, null, from, (nuint)source.Length, to, &written, (nuint)destination.Length));
            return (int)written;
        }

        public void Decompress(ReadOnlySpan<byte> source, Span<byte> destination)
        {
            ulong memory = ulong.MaxValue;
            nuint read = 0, written = 0;
            fixed (byte* from = source)
            fixed (byte* to = destination)
                Check(library._decode(&memory, 0, null, from, &read, (nuint)source.Length, to, &written, (nuint)destination.Length));
            if (written != (nuint)destination.Length) throw new InvalidOperationException($"xz gave {written} of {destination.Length} bytes");
        }

        private static void Check(int result)
        {
            if (result != 0) throw new InvalidOperationException($"xz failed with code {result}");
        }
    }
}
