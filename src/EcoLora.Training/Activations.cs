using EcoLora.Numerics;

namespace EcoLora.Training;

/// <summary>What one layer's backward pass needs of its forward pass and cannot make again cheaply. N rows; widths as in <see cref="LlamaConfig"/>.</summary>
internal sealed class LayerActivations<T>
{
    /// <summary>Rotated queries [N, H·d] and keys [N, KH·d], values [N, KH·d].</summary>
    public T[] Q = [], K = [], V = [];

    /// <summary>Output of attention [N, H·d] and the log-sums of its softmax [N, H].</summary>
    public T[] Attended = [], LogSums = [];

    /// <summary>Residual stream between attention and the feed-forward layer [N, D].</summary>
    public T[] Middle = [];

    /// <summary>The gate before its activation and the way up, both [N, F].</summary>
    public T[] Gate = [], Up = [];

    /// <summary>Per linear layer: s·A·dropout(x) [N, r], where it carries LoRA.</summary>
    public readonly T[][] LoraHidden = [[], [], [], [], [], [], []];

    /// <summary>Per linear layer: which entries [N, inputs] of LoRA's input are kept; empty without dropout.</summary>
    public readonly byte[][] Kept = [[], [], [], [], [], [], []];
}

/// <summary>What a pass keeps of each layer for the way back.</summary>
internal enum PassMemory
{
    /// <summary>Nothing: there is no way back. All layers share one set.</summary>
    None,

    /// <summary>The input of each layer; its forward pass runs again on the way back, in one shared set.</summary>
    Inputs,

    /// <summary>Everything that the backward pass needs.</summary>
    All,
}

/// <summary>
/// The memory of one job, reused between steps: it grows to the largest batch and is never given back, so the steady state allocates nothing.
/// </summary>
internal sealed class Activations<T>
    where T : unmanaged
{
    /// <summary>Rows of logits that exist at a time: the vocabulary may be large.</summary>
    public const int HeadRows = 128;

    private readonly LlamaConfig _config;
    private readonly LoraPlan? _lora;
    private readonly PassMemory _kept;
    private int _rows, _scored, _keys;

    public Activations(LlamaConfig config, LoraPlan? lora, PassMemory kept)
    {
        (_config, _lora, _kept) = (config, lora, kept);
        var shared = new LayerActivations<T>();
        Layers = [.. Enumerable.Range(0, config.Layers).Select(_ => kept == PassMemory.All ? new LayerActivations<T>() : shared)];
        Residual = new T[config.Layers + 1][];
    }

    public LayerActivations<T>[] Layers { get; }

    /// <summary>Residual stream [N, D] before each layer, and after the last.</summary>
    public T[][] Residual { get; }

    /// <summary>Normalised input of attention or of the feed-forward layer [N, D], and the factors of its rows [N].</summary>
    public T[] Normed = [], Factors = [];

    /// <summary>silu(gate)∘up [N, F].</summary>
    public T[] Gated = [];

    /// <summary>The scored rows of <see cref="Residual"/> after the last layer, normalised, with factors, and their losses.</summary>
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
        foreach (LayerActivations<T> layer in _kept == PassMemory.All ? Layers : Layers[..1])
        {
            layer.Q = Rows(q);
            layer.K = Rows(kv);
            layer.V = Rows(kv);
            layer.Attended = Rows(q);
            layer.LogSums = Rows(_config.Heads);
            layer.Middle = Rows(d);
            layer.Gate = Rows(f);
            layer.Up = Rows(f);
            for (var kind = LinearKind.Query; kind <= LinearKind.Down && _lora is not null; kind++)
            {
                if (!_lora.Options.Carries(kind)) continue;
                layer.LoraHidden[(int)kind] = Rows(_lora.Options.Rank);
                if (_kept != PassMemory.None && _lora.Options.Dropout > 0) layer.Kept[(int)kind] = new byte[checked(rows * _config.ShapeOf(kind).Inputs)];
            }
        }
        for (int layer = 0; layer < Residual.Length; layer++) Residual[layer] = layer == 0 || _kept != PassMemory.None ? Rows(d) : Residual[0];
        Normed = Rows(d);
        Factors = Rows(1);
        Gated = Rows(f);
        if (_kept == PassMemory.None) return;
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
        if (_kept != PassMemory.None) (DScored, DScoredOutput) = (new T[scored * d], new T[scored * d]);
    }
}
