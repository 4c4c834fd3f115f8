using System.Numerics;

namespace EcoLora.Numerics;

/// <summary>
/// Causal attention with grouped queries over one sequence: head h reads key head h / (heads / keyHeads); O = softmax(Q·Kᵀ/√d, causal)·V. Queries are the
/// last rows of the sequence: query i stands at position keys − queries + i and sees the keys up to it, so the same code serves training (queries = keys) and
/// generation with a cache (fewer queries). Works on blocks of <see cref="BlockRows"/> query rows and keeps only one number per row and head, the log of the
/// softmax's sum; the backward pass computes the probabilities again from it (Dao et al., FlashAttention, 2022).
/// </summary>
public static class Attention
{
    /// <summary>Query rows per block; the scratch space is 2·BlockRows·keys entries.</summary>
    public const int BlockRows = 64;

    /// <summary>Entries of scratch space that both passes need for a sequence of so many keys.</summary>
    public static int ScratchLength(int keys) => checked(2 * BlockRows * keys);

    /// <summary>Writes O and the log-sums.</summary>
    /// <param name="q">[queries, heads·d], rotated.</param>
    /// <param name="k">[keys, keyHeads·d], rotated.</param>
    /// <param name="v">[keys, keyHeads·d].</param>
    /// <param name="o">[queries, heads·d], written.</param>
    /// <param name="logSums">[queries, heads], written.</param>
    /// <param name="scratch">At least <see cref="ScratchLength"/> entries.</param>
    /// <param name="heads">Query heads, a multiple of <paramref name="keyHeads"/>.</param>
    /// <param name="keyHeads">Heads of K and V.</param>
    /// <param name="path">Code path.</param>
    /// <exception cref="ArgumentException">A length does not fit.</exception>
    public static void Forward<T>(
        ReadOnlySpan<T> q, ReadOnlySpan<T> k, ReadOnlySpan<T> v, Span<T> o, Span<T> logSums, Span<T> scratch, int heads, int keyHeads,
        SimdPath path = SimdPath.Fastest)
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        int queries = logSums.Length / heads, width = q.Length / Math.Max(queries, 1), d = width / heads, keyWidth = keyHeads * d;
        int keys = k.Length / Math.Max(keyWidth, 1);
        ExpectShapes(q.Length, k.Length, v.Length, o.Length, queries, keys, heads, keyHeads, d);
        if (queries == 0) return;
        T scale = T.One / T.Sqrt(T.CreateTruncating(d));
        for (int head = 0; head < heads; head++)
        {
            int keyHead = head / (heads / keyHeads) * d;
            for (int first = 0; first < queries; first += BlockRows)
            {
                int rows = Math.Min(BlockRows, queries - first), past = keys - queries + first, seen = past + rows;
                Span<T> scores = scratch[..(rows * seen)];
                MatMul.Multiply(rows, seen, d, q[(first * width + head * d)..], width, 1, k[keyHead..], 1, keyWidth, scores, seen, false, path);
                for (int row = 0; row < rows; row++)
                {
                    Span<T> all = scores.Slice(row * seen, seen);
                    logSums[(first + row) * heads + head] = SoftMax.Forward(all[..(past + row + 1)], scale, path);
                    all[(past + row + 1)..].Clear();
                }
                MatMul.Multiply(rows, d, seen, scores, seen, 1, v[keyHead..], keyWidth, 1, o[(first * width + head * d)..], width, false, path);
            }
        }
    }

    /// <summary>
    /// With P the probabilities and Dᵢ = Σⱼ dOᵢⱼ·Oᵢⱼ: dV += Pᵀ·dO, dS = P∘(dO·Vᵀ − D)/√d, dQ = dS·K, dK += dSᵀ·Q. For queries = keys. dQ is written; dK and
    /// dV are added to (heads of a group share them).
    /// </summary>
    /// <exception cref="ArgumentException">A length does not fit.</exception>
    public static void Backward<T>(
        ReadOnlySpan<T> q, ReadOnlySpan<T> k, ReadOnlySpan<T> v, ReadOnlySpan<T> o, ReadOnlySpan<T> logSums, ReadOnlySpan<T> outputGradient,
        Span<T> dq, Span<T> dk, Span<T> dv, Span<T> scratch, int heads, int keyHeads, SimdPath path = SimdPath.Fastest)
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        int rowsAll = logSums.Length / heads, width = q.Length / Math.Max(rowsAll, 1), d = width / heads, keyWidth = keyHeads * d;
        ExpectShapes(q.Length, k.Length, v.Length, o.Length, rowsAll, rowsAll, heads, keyHeads, d);
        ExpectShapes(dq.Length, dk.Length, dv.Length, outputGradient.Length, rowsAll, rowsAll, heads, keyHeads, d);
        T scale = T.One / T.Sqrt(T.CreateTruncating(d));
        for (int head = 0; head < heads; head++)
        {
            int keyHead = head / (heads / keyHeads) * d;
            for (int first = 0; first < rowsAll; first += BlockRows)
            {
                int rows = Math.Min(BlockRows, rowsAll - first), seen = first + rows, at = first * width + head * d;
                Span<T> p = scratch[..(rows * seen)], ds = scratch.Slice(rows * seen, rows * seen);
                MatMul.Multiply(rows, seen, d, q[at..], width, 1, k[keyHead..], 1, keyWidth, p, seen, false, path);
                MatMul.Multiply(rows, seen, d, outputGradient[at..], width, 1, v[keyHead..], 1, keyWidth, ds, seen, false, path);
                for (int row = 0; row < rows; row++)
                {
                    int visible = first + row + 1;
                    Span<T> probabilities = p.Slice(row * seen, seen), gradients = ds.Slice(row * seen, seen);
                    SoftMax.Exponentiate(probabilities[..visible], scale, logSums[(first + row) * heads + head], path);
                    T mean = VectorMath.Dot(outputGradient.Slice(at + row * width, d), o.Slice(at + row * width, d), path);
                    SoftMaxGradient.Apply(probabilities[..visible], gradients[..visible], mean, scale, path);
                    probabilities[visible..].Clear();
                    gradients[visible..].Clear();
                }
                MatMul.Multiply(seen, d, rows, p, 1, seen, outputGradient[at..], width, 1, dv[keyHead..], keyWidth, true, path);
                MatMul.Multiply(rows, d, seen, ds, seen, 1, k[keyHead..], keyWidth, 1, dq[at..], width, false, path);
                MatMul.Multiply(seen, d, rows, ds, 1, seen, q[at..], width, 1, dk[keyHead..], keyWidth, true, path);
            }
        }
    }

    private static void ExpectShapes(int q, int k, int v, int o, int queries, int keys, int heads, int keyHeads, int d)
    {
        if (keyHeads < 1 || heads % keyHeads != 0) throw new ArgumentException($"heads: expected a multiple of {keyHeads}, found {heads}", nameof(heads));
        if (queries > keys) throw new ArgumentException($"queries: expected at most {keys}, the keys, found {queries}", nameof(queries));
        Shape.Expect(q, (long)queries * heads * d);
        Shape.Expect(o, q);
        Shape.Expect(k, (long)keys * keyHeads * d);
        Shape.Expect(v, k);
    }
}
