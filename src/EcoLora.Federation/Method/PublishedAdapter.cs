using EcoLora.Codec;

namespace EcoLora.Federation;

/// <summary>
/// Q^t, the adapter that the aggregator and every receiver hold alike, because both apply the same decoded frames of one published chain
/// (method.md, step 9).
/// </summary>
public sealed class PublishedAdapter
{
    private readonly LoraLayout _layout;
    private readonly ulong _runKey;
    private readonly float[] _values;

    /// <summary>Starts at version 0 or goes on from a stored version.</summary>
    /// <param name="runKey">The run's key in frames.</param>
    /// <param name="layout">Layout of the exchanged vector.</param>
    /// <param name="version">t.</param>
    /// <param name="values">Q^t; kept, not copied.</param>
    public PublishedAdapter(ulong runKey, LoraLayout layout, int version, float[] values)
    {
        if (values.Length != layout.Length) throw new ArgumentException($"expected {layout.Length} entries, found {values.Length}", nameof(values));
        (_runKey, _layout, Version, _values) = (runKey, layout, version, values);
    }

    /// <summary>t: how many changes were applied.</summary>
    public int Version { get; private set; }

    /// <summary>Q^t.</summary>
    public ReadOnlyMemory<float> Values => _values;

    /// <summary>Q^{t+1} = Q^t + D.</summary>
    /// <exception cref="FrameException">The frame is not the change of this run that follows this version; nothing was applied.</exception>
    public void Apply(ReadOnlyMemory<byte> bytes)
    {
        var frame = Frame.Open(bytes, _layout);
        if (frame.Header.Kind != FrameKind.GlobalChange) throw new FrameException("kind", "a global change", $"{frame.Header}");
        if (frame.Header.RunKey != _runKey) throw new FrameException("run", $"{_runKey:x16}", $"{frame.Header.RunKey:x16}");
        if (frame.Header.BaseVersion != Version) throw new FrameException("base version", $"{Version}", $"{frame.Header.BaseVersion}");
        float[] change = new float[_layout.Length];
        frame.Decode(change);
        for (int i = 0; i < change.Length; i++) _values[i] += change[i];
        Version++;
    }
}
