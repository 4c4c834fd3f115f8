using EcoLora.Numerics;

namespace EcoLora.Local.Bench;

/// <summary>
/// What a thread mutates: frames of the writer, frames with made-up choices, some of which are always new, and what has led to new verdicts.
/// </summary>
internal sealed class FrameCorpus
{
    private const int Chosen = 512, Newest = 32, MostBytes = 32 << 20, Short = 4096, Medium = 1 << 15;

    private readonly RandomStream _random;
    private readonly BaseFrame[] _short, _medium, _long;
    private readonly List<BaseFrame> _chosen = [], _found = [];
    private long _foundBytes;

    /// <summary>Begins with the given frames and some with made-up choices.</summary>
    public FrameCorpus(IReadOnlyList<BaseFrame> written, RandomStream random)
    {
        _random = random;
        _short = [.. written.Where(frame => frame.Bytes.Length <= Short)];
        _medium = [.. written.Where(frame => frame.Bytes.Length is > Short and <= Medium)];
        _long = [.. written.Where(frame => frame.Bytes.Length > Medium)];
        for (int i = 0; i < Chosen; i++) _chosen.Add(ChosenFrame.Make(random));
    }

    /// <summary>The next frame to mutate.</summary>
    public BaseFrame Next()
    {
        int roll = _random.NextInt32(1024);
        if (roll < 4) return _long[_random.NextInt32(_long.Length)];
        if (roll < 40) return _medium[_random.NextInt32(_medium.Length)];
        if (roll < 400) return _short[_random.NextInt32(_short.Length)];
        if (roll < 700 || _found.Count == 0)
        {
            int index = _random.NextInt32(_chosen.Count);
            if (_random.NextInt32(Newest) == 0) _chosen[index] = ChosenFrame.Make(_random);
            return _chosen[index];
        }
        return _found[_random.NextInt32(_found.Count)];
    }

    /// <summary>A frame of which parts are taken, mostly of the same layout.</summary>
    public BaseFrame Donor(int layout)
    {
        BaseFrame frame = Pick();
        for (int i = 0; i < 6 && frame.Layout != layout; i++) frame = Pick();
        return frame;

        BaseFrame Pick() => _random.NextInt32(2) == 0 ? _short[_random.NextInt32(_short.Length)] : _chosen[_random.NextInt32(_chosen.Count)];
    }

    /// <summary>Keeps a frame that has led to a new verdict.</summary>
    public void Keep(int layout, ReadOnlySpan<byte> frame)
    {
        if (_foundBytes + frame.Length > MostBytes) return;
        _foundBytes += frame.Length;
        _found.Add(new BaseFrame(layout, frame.ToArray()));
    }
}
