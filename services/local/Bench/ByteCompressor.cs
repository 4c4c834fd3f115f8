using System.IO.Compression;

namespace EcoLora.Local.Bench;

/// <summary>A general compressor of bytes.</summary>
internal interface IByteCompressor
{
    /// <summary>Most bytes that compressing so many bytes can give.</summary>
    int MaximumSize(int length);

    /// <summary>Compresses.</summary>
    /// <returns>Number of bytes written.</returns>
    int Compress(ReadOnlySpan<byte> source, Span<byte> destination);

    /// <summary>Decompresses into exactly as many bytes as there were.</summary>
    void Decompress(ReadOnlySpan<byte> source, Span<byte> destination);
}

/// <summary>Brotli as .NET carries it, at its highest quality and largest window.</summary>
internal sealed class BrotliCompressor : IByteCompressor
{
    private const int Quality = 11, WindowBits = 24;

    /// <inheritdoc/>
    public int MaximumSize(int length) => BrotliEncoder.GetMaxCompressedLength(length);

    /// <inheritdoc/>
    public int Compress(ReadOnlySpan<byte> source, Span<byte> destination)
    {
        if (BrotliEncoder.TryCompress(source, destination, out int written, Quality, WindowBits)) return written;
        throw new InvalidOperationException("brotli refused to compress");
    }

    /// <inheritdoc/>
    public void Decompress(ReadOnlySpan<byte> source, Span<byte> destination)
    {
        if (!BrotliDecoder.TryDecompress(source, destination, out int written) || written != destination.Length)
            throw new InvalidOperationException("brotli refused to decompress");
    }
}
