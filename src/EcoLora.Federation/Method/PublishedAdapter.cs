using EcoLora.Codec;

namespace EcoLora.Federation;

/// <summary>
/// Q^t, the adapter that the aggregator and every receiver hold alike, because both apply the same decoded frames of one published chain
/// (method.md, step 9), through the same momentum where the run has one. Where a method merges into the base, it is ΔW^t, and the chain's messages are stacks.
/// </summary>
public sealed class PublishedAdapter
{
    private readonly LoraLayout _layout;
    private readonly ulong _runKey;
    private readonly double _momentum;
    private readonly float[] _values, _velocity;
    private readonly RunPlan? _stacked;

    /// <summary>Starts at version 0 or goes on from a stored version.</summary>
    /// <param name="runKey">The run's key in frames.</param>
    /// <param name="layout">Layout of the exchanged vector.</param>
    /// <param name="version">t.</param>
    /// <param name="values">Q^t; kept, not copied.</param>
    /// <param name="momentum">m of the server's momentum, in [0, 1).</param>
    /// <param name="velocity">V of a stored version; kept, not copied. Null for zero, and without momentum.</param>
    /// <param name="stacked">The run where its chain is of stacks, and the values are ΔW; null where it is of global changes.</param>
    public PublishedAdapter(
        ulong runKey, LoraLayout layout, int version, float[] values, double momentum = 0, float[]? velocity = null, RunPlan? stacked = null)
    {
        _stacked = stacked;
        if (stacked is null && values.Length != layout.Length) throw new ArgumentException($"expected {layout.Length} entries, found {values.Length}", nameof(values));
        (_runKey, _layout, Version, _values, _momentum) = (runKey, layout, version, values, momentum);
        _velocity = momentum == 0 ? [] : velocity ?? new float[layout.Length];
        if (momentum > 0 && _velocity.Length != layout.Length)
            throw new ArgumentException($"expected {layout.Length} entries, found {_velocity.Length}", nameof(velocity));
    }

    /// <summary>Q^0 of a run.</summary>
    public static PublishedAdapter Start(RunPlan plan) => Stored(plan, 0, plan.FederatedMethod.InitialReference(plan.AdapterLayout(), plan.Seed), null);

    /// <summary>A stored version of a run.</summary>
    /// <param name="plan">The run.</param>
    /// <param name="version">t.</param>
    /// <param name="vectors"><see cref="Vectors"/> as they were, perhaps with others behind them.</param>
    public static PublishedAdapter Stored(RunPlan plan, int version, IReadOnlyList<float[]> vectors) =>
        Stored(plan, version, vectors[0], plan.Exchange.ServerMomentum == 0 ? null : vectors[1]);

    private static PublishedAdapter Stored(RunPlan plan, int version, float[] values, float[]? velocity) => new(
        plan.Key, plan.ExchangedLayout(), version, values, plan.Exchange.ServerMomentum, velocity, plan.FederatedMethod.MergesIntoBase ? plan : null);

    /// <summary>t: how many changes were applied.</summary>
    public int Version { get; private set; }

    /// <summary>Q^t.</summary>
    public ReadOnlyMemory<float> Values => _values;

    /// <summary>All that a version is: Q^t, and with momentum V.</summary>
    public ReadOnlyMemory<float>[] Vectors => _momentum == 0 ? [_values] : [_values, _velocity];

    /// <summary>A copy, which changes by itself.</summary>
    public PublishedAdapter Copy() => new(_runKey, _layout, Version, [.. _values], _momentum, [.. _velocity], _stacked);

    /// <summary>Q^{t+1} = Q^t + D, with momentum V ← m·V + D and Q^{t+1} = Q^t + V; of a stack ΔW^{t+1} = ΔW^t + Σ p_k·s·B_k·A_k.</summary>
    /// <exception cref="FrameException">The frame is not the change of this run that follows this version; nothing was applied.</exception>
    public void Apply(ReadOnlyMemory<byte> bytes)
    {
        if (_stacked is not null)
        {
            StackedChange.Open(_stacked, Version, bytes).AddTo(_values);
            Version++;
            return;
        }
        var frame = Frame.Open(bytes, _layout);
        if (frame.Header.Kind != FrameKind.GlobalChange) throw new FrameException("kind", "a global change", $"{frame.Header}");
        if (frame.Header.RunKey != _runKey) throw new FrameException("run", $"{_runKey:x16}", $"{frame.Header.RunKey:x16}");
        if (frame.Header.BaseVersion != Version) throw new FrameException("base version", $"{Version}", $"{frame.Header.BaseVersion}");
        float[] change = new float[_layout.Length];
        frame.Decode(change);
        for (int i = 0; i < _velocity.Length; i++) change[i] = _velocity[i] = (float)(_momentum * _velocity[i] + change[i]);
        for (int i = 0; i < change.Length; i++) _values[i] += change[i];
        Version++;
    }
}
