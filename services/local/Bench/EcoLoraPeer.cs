using System.Runtime.InteropServices;
using EcoLora.Codec;

namespace EcoLora.Local.Bench;

/// <summary>This project's frames: encoding from values to a whole frame, decoding from the frame's bytes, checks included, to binary16 values.</summary>
internal sealed class EcoLoraPeer : Coding
{
    private readonly FrameHeader _header;
    private readonly LoraLayout _layout;
    private readonly Compression _compression;
    private readonly SparseUpdate _update;
    private readonly float[] _values, _sent, _residual;
    private readonly AlignedBuffer<Half> _decoded;
    private byte[] _frame = [];

    public EcoLoraPeer(SparseUpdate update)
    {
        (_update, _layout) = (update, update.Layout);
        _header = new FrameHeader(FrameKind.Segment, FrameHeader.KeyOf("bench"), 0, 0, 0, 1, 0, (uint)_layout.Fingerprint);
        (_values, _sent, _residual) = (new float[update.Entries], new float[update.Entries], new float[update.Entries]);
        _decoded = new AlignedBuffer<Half>(update.Entries);
        MemoryMarshal.AsBytes(_decoded.Span).Fill(0xFF);
        ReadOnlySpan<Half> values = update.Values.Span;
        for (int i = 0; i < _values.Length; i++) _values[i] = (float)values[i];
        _compression = new Compression(KeptShare(LoraRole.A), KeptShare(LoraRole.B), ValueMode.Fp16);
    }

    /// <inheritdoc/>
    public override int Encode()
    {
        _frame = FrameEncoder.Encode(_header, _layout, _values, _compression, _sent, _residual);
        return _frame.Length;
    }

    /// <inheritdoc/>
    public override void Decode()
    {
        Frame.Read(_frame, _layout).Decode(_sent);
        Span<Half> decoded = _decoded.Span;
        for (int i = 0; i < decoded.Length; i++) decoded[i] = (Half)_sent[i];
    }

    /// <summary>Adds weight × value into double sums, as the aggregator does.</summary>
    public void Accumulate(double weight, Span<double> sums) => Frame.Read(_frame, _layout).Accumulate(weight, sums);

    /// <inheritdoc/>
    public override bool IsExact() => MemoryMarshal.AsBytes(_decoded.Span).SequenceEqual(MemoryMarshal.AsBytes(_update.Values.Span));

    /// <inheritdoc/>
    protected override void Free() => _decoded.Free();

    /// <summary>The share of a role's entries that are not zero, so that top-k keeps exactly these.</summary>
    private double KeptShare(LoraRole role)
    {
        int entries = 0, kept = 0;
        foreach (LoraTensor tensor in _layout.Tensors.Where(tensor => tensor.Role == role))
        {
            entries += tensor.Length;
            kept += SparseUpdate.CountOf(tensor.In(_update.Values.Span));
        }
        return entries == 0 ? 1 : Math.Max(kept, 0.5) / entries;
    }
}
