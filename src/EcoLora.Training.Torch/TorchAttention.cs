using TorchSharp;
using static TorchSharp.torch;

namespace EcoLora.Training.Torch;

/// <summary>
/// Causal attention over a batch's sequences, laid end to end. The kernel wants one length, so sequences of several are padded behind their ends: no row before sees what comes later, and
/// the padding's own rows are left out again.
/// </summary>
internal sealed class TorchAttention
{
    private readonly long _sequences, _longest;
    private readonly Tensor? _padded, _rows;

    /// <param name="batch">The sequences.</param>
    /// <param name="device">Where they are.</param>
    public TorchAttention(Batch batch, Device device)
    {
        (_sequences, _longest) = (batch.Sequences, batch.LongestSequence);
        if (batch.Rows == batch.Sequences * batch.LongestSequence) return;
        int[] padded = new int[batch.Sequences * batch.LongestSequence], rows = new int[batch.Rows];
        for (int sequence = 0; sequence < batch.Sequences; sequence++)
        {
            int start = batch.Start(sequence), length = batch.Start(sequence + 1) - start;
            for (int i = 0; i < length; i++) padded[rows[start + i] = sequence * batch.LongestSequence + i] = start + i;
        }
        (_padded, _rows) = (TorchTransfer.Indexes(padded, device), TorchTransfer.Indexes(rows, device));
    }

    /// <summary>softmax(q·kᵀ/√d)·v, each row over its sequence's rows up to itself.</summary>
    /// <param name="q">[N, H, d].</param>
    /// <param name="k">[N, KH, d].</param>
    /// <param name="v">[N, KH, d].</param>
    /// <returns>[N, H·d].</returns>
    public Tensor Attend(Tensor q, Tensor k, Tensor v)
    {
        using DisposeScope scope = NewDisposeScope();
        long heads = q.shape[1], size = q.shape[2];
        Tensor attended = nn.functional.scaled_dot_product_attention(Sequences(q, heads), Sequences(k, heads), Sequences(v, heads), is_casual: true)
            .transpose(1, 2).reshape(_sequences * _longest, heads * size);
        return (_rows is null ? attended : attended.index_select(0, _rows)).MoveToOuterDisposeScope();
    }

    /// <summary>[N, heads, d] as [sequences, H, longest, d].</summary>
    private Tensor Sequences(Tensor x, long heads) =>
        Repeat((_padded is null ? x : x.index_select(0, _padded)).view(_sequences, _longest, x.shape[1], x.shape[2]).transpose(1, 2), heads);

    /// <summary>Keys or values […, KH, rows, d] for each of H heads.</summary>
    public static Tensor Repeat(Tensor x, long heads) => x.shape[1] == heads ? x : x.repeat_interleave(heads / x.shape[1], 1);
}
