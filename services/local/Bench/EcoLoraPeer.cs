using System.Runtime.InteropServices;
using EcoLora.Codec;
using EcoLora.Numerics;

namespace EcoLora.Local.Bench;

/// <summary>This project's frames: from binary16 values to a whole frame, and from the frame's bytes, checks included, back.</summary>
internal sealed class EcoLoraPeer : Coding
{
    private readonly FrameHeader _header;
    private readonly LoraLayout _layout;
    private readonly SparseUpdate _update;
    private readonly AlignedBuffer<Half> _decoded;
    private readonly CodecExecution _execution;
    private readonly byte[] _frame;
    private int _length;

    public EcoLoraPeer(SparseUpdate update, SimdPath path)
    {
        (_update, _layout, _execution) = (update, update.Layout, new CodecExecution(Threads: 1, path));
        _header = new FrameHeader(FrameKind.Segment, FrameHeader.KeyOf("bench"), 0, 0, 0, 1, 0, (uint)_layout.Fingerprint);
        _frame = GC.AllocateArray<byte>(FrameEncoder.MaximumSize(_header, _layout, ValueMode.Fp16), pinned: true);
        _decoded = new AlignedBuffer<Half>(update.Entries);
        MemoryMarshal.AsBytes(_decoded.Span).Fill(0xFF);
    }

    /// <inheritdoc/>
    public override int Encode() => _length = FrameEncoder.Encode(_header, _layout, _update.Values.Span, LosslessCoding.Entropy, _frame, _execution);

    /// <inheritdoc/>
    public override void Decode() => Frame.Open(_frame.AsMemory(0, _length), _layout).Decode(_decoded.Span, _execution);

    /// <summary>Adds weight × value into double sums, as the aggregator does.</summary>
    public void Accumulate(double weight, Span<double> sums) => Frame.Open(_frame.AsMemory(0, _length), _layout).Accumulate(weight, sums, _execution);

    /// <inheritdoc/>
    public override bool IsExact() => MemoryMarshal.AsBytes(_decoded.Span).SequenceEqual(MemoryMarshal.AsBytes(_update.Values.Span));

    /// <inheritdoc/>
    protected override void Free() => _decoded.Free();
}
