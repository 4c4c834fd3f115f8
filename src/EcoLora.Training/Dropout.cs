using System.Numerics;
using EcoLora.Numerics;

namespace EcoLora.Training;

/// <summary>
/// The dropout masks of a group of a step's examples: a stream per example and linear layer, so that a layer that runs again draws its masks again, and no mask depends
/// on the threads or on where the groups are cut.
/// </summary>
/// <param name="Seed">The job's.</param>
/// <param name="Step">The step, from 0.</param>
/// <param name="First">The group's first example among the step's, from 0.</param>
internal sealed record DropoutMasks(ulong Seed, int Step, int First)
{
    /// <summary>Draws one linear layer's masks.</summary>
    /// <param name="kept">[rows, width], see <see cref="Dropout.Draw"/>.</param>
    /// <param name="batch">The group.</param>
    /// <param name="layer">The decoder layer.</param>
    /// <param name="kind">The linear layer in it.</param>
    /// <param name="width">Its inputs.</param>
    /// <param name="probability">p.</param>
    public void Draw(Span<byte> kept, Batch batch, int layer, LinearKind kind, int width, double probability)
    {
        for (int sequence = 0; sequence < batch.Sequences; sequence++)
            Dropout.Draw(
                kept[(batch.Start(sequence) * width)..(batch.Start(sequence + 1) * width)], probability,
                new RandomStream(Seed, "dropout", Step, First + sequence, layer, (int)kind));
    }
}

/// <summary>Inverted dropout (Srivastava et al., 2014): an entry is dropped with probability p, else divided by 1 − p.</summary>
internal static class Dropout
{
    /// <summary>Draws a mask: 1 keeps, 0 drops. Each entry uses 16 random bits, so p is rounded to a multiple of 1/65,536.</summary>
    public static void Draw(Span<byte> kept, double probability, RandomStream stream)
    {
        uint threshold = (uint)Math.Round(probability * 65_536);
        ulong bits = 0;
        for (int i = 0; i < kept.Length; i++, bits >>= 16)
        {
            if (i % 4 == 0) bits = stream.NextUInt64();
            kept[i] = (ushort)bits >= threshold ? (byte)1 : (byte)0;
        }
    }

    /// <summary>yᵢ += xᵢ/(1 − p) where the mask keeps i. This is the forward pass into zeros, and the backward pass.</summary>
    public static void AddMasked<T>(ReadOnlySpan<T> x, ReadOnlySpan<byte> kept, double probability, Span<T> y)
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        T scale = T.CreateTruncating(1 / (1 - probability));
        for (int i = 0; i < x.Length; i++)
        {
            if (kept[i] != 0) y[i] += x[i] * scale;
        }
    }
}
