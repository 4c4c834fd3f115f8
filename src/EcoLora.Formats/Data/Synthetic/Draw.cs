using EcoLora.Numerics;

namespace EcoLora.Formats.Data.Synthetic;

/// <summary>Choices from word lists, all from one random stream.</summary>
internal sealed class Draw(RandomStream random)
{
    /// <summary>True with the given chance.</summary>
    public bool Chance(double probability) => random.NextDouble() < probability;

    /// <summary>A whole number from both ends included.</summary>
    public int Between(int first, int last) => first + random.NextInt32(last - first + 1);

    /// <summary>One of the items.</summary>
    public T One<T>(params ReadOnlySpan<T> items) => items[random.NextInt32(items.Length)];

    /// <summary>Different items in random order.</summary>
    public T[] Some<T>(int count, ReadOnlySpan<T> items)
    {
        T[] all = items.ToArray();
        random.Shuffle(all.AsSpan());
        return all[..count];
    }
}
