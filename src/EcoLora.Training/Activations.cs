using EcoLora.Numerics;

namespace EcoLora.Training;

/// <summary>What one layer's backward pass needs of its forward pass. N rows; widths as in <see cref="LlamaConfig"/>.</summary>
internal sealed class LayerActivations<T>
{
    /// <summary>Residual stream before attention [N, D].</summary>
    public T[] Input = [];

    /// <summary>Normalised input [N, D] and its factor per row [N].</summary>
    public T[] AttentionNormed = [], AttentionFactor = [];

    /// <summary>Rotated queries [N, H·d] and keys [N, KH·d], values [N, KH·d].</summary>
    public T[] Q = [], K = [], V = [];

    /// <summary>Output of attention [N, H·d] and the log-sums of its softmax [N, H].</summary>
    public T[] Attended = [], LogSums = [];

    /// <summary>Residual stream between attention and the feed-forward layer [N, D].</summary>
    public T[] Middle = [];

    /// <summary>Normalised middle [N, D] and its factor per row [N].</summary>
    public T[] FeedForwardNormed = [], FeedForwardFactor = [];

    /// <summary>The gate before its activation, the way up and their product silu(gate)∘up, all [N, F].</summary>
    public T[] Gate = [], Up = [], Gated = [];

    /// <summary>Per linear layer: s·A·dropout(x) [N, r], where it carries LoRA.</summary>
    public readonly T[][] LoraHidden = [[], [], [], [], [], [], []];

    /// <summary>Per linear layer: which entries [N, inputs] of LoRA's input are kept; empty without dropout.</summary>
    public readonly byte[][] Kept = [[], [], [], [], [], [], []];
}

/// <summary>
/// The memory of one job, reused between steps: it grows to the largest batch and is never given back, so the steady state allocates nothing. An evaluation,
/// which needs no backward pass, lets all layers share one set.
/// </summary>
internal sealed class Activations<T>
    where T : unmanaged
{
    /// <summary>Rows of logits that exist at a time: the vocabulary may be large.</summary>
    public const int HeadRows = 128;

    private readonly LlamaConfig _config;
    private readonly LoraPlan? _lora;
    private readonly bool _training;
    private int _rows, _scored, _keys;

    public Activations(LlamaConfig config, LoraPlan? lora, bool training)
    {
        (_config, _lora, _training) = (config, lora, training);
        var shared = new LayerActivations<T>();
        Layers = [.. Enumerable.Range(0, config.Layers).Select(_ => training ? new LayerActivations<T>() : shared)];
    }

    public LayerActivations<T>[] Layers { get; }

    /// <summary>Residual stream after the last layer [N, D].</summary>
    public T[] Output = [];

    /// <summary>The scored rows of <see cref="Output"/>, normalised, with factors, and their losses.</summary>
    public T[] ScoredOutput = [], ScoredNormed = [], ScoredFactor = [], Losses = [];

    /// <summary>Logits of <see cref="HeadRows"/> rows, then their gradient.</summary>
    public T[] Logits = [];

    /// <summary>Scratch of <see cref="Attention"/>.</summary>
    public T[] AttentionScratch = [];

    /// <summary>Masked LoRA input [N, widest input].</summary>
    public T[] Dropped = [];

    /// <summary>Gradients: of the residual stream [N, D], of a norm's output [N, D], of queries, keys, values and attention's output, of the gated product
    /// [N, F], of a LoRA hidden [N, r], of a masked LoRA input [N, widest input], of the scored rows [S, D] twice.</summary>
    public T[] DResidual = [], DNormed = [], DQ = [], DK = [], DV = [], DAttended = [], DGated = [], DHidden = [], DDropped = [], DScored = [],
        DScoredOutput = [];

    /// <summary>Makes room for a batch.</summary>
    public void Reserve(int rows, int scored, int longestSequence)
    {
        if (rows > _rows)
        {
            _rows = rows;
            ReserveRows(rows);
        }
        if (scored > _scored)
        {
            _scored = scored;
            ReserveScored(scored);
        }
        if (longestSequence > _keys)
        {
            _keys = longestSequence;
            AttentionScratch = new T[Attention.ScratchLength(longestSequence)];
        }
    }

    private void ReserveRows(int rows)
    {
        int d = _config.HiddenSize, f = _config.IntermediateSize, q = _config.QueryWidth, kv = _config.KeyValueWidth, widest = Math.Max(Math.Max(d, f), q);
        foreach (LayerActivations<T> layer in _training ? Layers : Layers[..1])
        {
            layer.Input = Rows(d);
            layer.AttentionNormed = Rows(d);
            layer.AttentionFactor = Rows(1);
            layer.Q = Rows(q);
            layer.K = Rows(kv);
            layer.V = Rows(kv);
            layer.Attended = Rows(q);
            layer.LogSums = Rows(_config.Heads);
            layer.Middle = Rows(d);
            layer.FeedForwardNormed = Rows(d);
            layer.FeedForwardFactor = Rows(1);
            layer.Gate = Rows(f);
            layer.Up = Rows(f);
            layer.Gated = Rows(f);
            for (var kind = LinearKind.Query; kind <= LinearKind.Down && _lora is not null; kind++)
            {
                if (!_lora.Options.Carries(kind)) continue;
                layer.LoraHidden[(int)kind] = Rows(_lora.Options.Rank);
                if (_training && _lora.Options.Dropout > 0) layer.Kept[(int)kind] = new byte[checked(rows * LlamaWeights<T>.ShapeOf(_config, kind).Inputs)];
            }
        }
        Output = Rows(d);
        if (!_training) return;
        DResidual = Rows(d);
        DNormed = Rows(d);
        DQ = Rows(q);
        DK = Rows(kv);
        DV = Rows(kv);
        DAttended = Rows(q);
        DGated = Rows(f);
        if (_lora is null) return;
        DHidden = Rows(_lora.Options.Rank);
        if (_lora.Options.Dropout > 0) (Dropped, DDropped) = (Rows(widest), Rows(widest));

        T[] Rows(int width) => GC.AllocateUninitializedArray<T>(checked(rows * width));
    }

    private void ReserveScored(int scored)
    {
        int d = _config.HiddenSize;
        ScoredOutput = new T[checked(scored * d)];
        ScoredNormed = new T[scored * d];
        ScoredFactor = new T[scored];
        Losses = new T[scored];
        Logits = new T[checked(Math.Min(scored, HeadRows) * _config.Vocabulary)];
        if (_training) (DScored, DScoredOutput) = (new T[scored * d], new T[scored * d]);
    }
}
