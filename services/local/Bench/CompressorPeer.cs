using System.Runtime.InteropServices;

namespace EcoLora.Local.Bench;

/// <summary>A general compressor on the dense binary16 bytes of an update, or on its <see cref="PeerPlanes"/>, whose split and merge are not timed.</summary>
internal sealed class CompressorPeer : Coding
{
    private readonly IByteCompressor _compressor;
    private readonly SparseUpdate _update;
    private readonly bool _onPlanes;
    private readonly AlignedBuffer<byte> _source, _coded, _decoded;
    private int _size;

    public CompressorPeer(SparseUpdate update, IByteCompressor compressor, bool onPlanes)
    {
        (_update, _compressor, _onPlanes) = (update, compressor, onPlanes);
        _source = new AlignedBuffer<byte>(onPlanes ? PeerPlanes.SizeOf(update) : 2 * update.Entries);
        if (onPlanes) PeerPlanes.Split(update, _source.Span);
        else MemoryMarshal.AsBytes(update.Values.Span).CopyTo(_source.Span);
        _coded = new AlignedBuffer<byte>(compressor.MaximumSize(_source.Length));
        _decoded = new AlignedBuffer<byte>(_source.Length);
        _decoded.Span.Fill(0xFF);
    }

    /// <inheritdoc/>
    public override int Encode() => _size = _compressor.Compress(_source.Span, _coded.Span);

    /// <inheritdoc/>
    public override void Decode() => _compressor.Decompress(_coded.Span[.._size], _decoded.Span);

    /// <inheritdoc/>
    public override bool IsExact()
    {
        ReadOnlySpan<byte> expected = MemoryMarshal.AsBytes(_update.Values.Span);
        if (!_onPlanes) return _decoded.Span.SequenceEqual(expected);
        using var merged = new AlignedBuffer<Half>(_update.Entries);
        PeerPlanes.Merge(_decoded.Span, _update.Kept, _update.Smallest, merged.Span);
        return MemoryMarshal.AsBytes(merged.Span).SequenceEqual(expected);
    }

    /// <inheritdoc/>
    protected override void Free()
    {
        _source.Free();
        _coded.Free();
        _decoded.Free();
    }
}
