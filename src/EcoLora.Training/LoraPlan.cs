using EcoLora.Codec;

namespace EcoLora.Training;

/// <summary>The two tensors of one linear layer.</summary>
internal sealed record LoraPair(LoraTensor A, LoraTensor B);

/// <summary>Where each layer finds its LoRA pair in the vector.</summary>
internal sealed class LoraPlan
{
    private readonly LoraPair?[] _pairs;

    public LoraPlan(LlamaConfig config, LoraOptions options)
    {
        Options = options;
        Layout = options.LayoutFor(config);
        _pairs = new LoraPair?[config.Layers * ParameterLayout.LinearsPerLayer];
        int next = 0;
        for (int slot = 0; slot < _pairs.Length; slot++)
        {
            if (!options.Carries((LinearKind)(slot % ParameterLayout.LinearsPerLayer))) continue;
            _pairs[slot] = new LoraPair(Layout.Tensors[next], Layout.Tensors[next + 1]);
            next += 2;
        }
    }

    public LoraOptions Options { get; }

    public LoraLayout Layout { get; }

    /// <summary>The pair of each linear layer by its <see cref="Slot"/>, or null when it carries none.</summary>
    public IReadOnlyList<LoraPair?> Pairs => _pairs;

    /// <summary>The pair of a linear layer, or null when it carries none.</summary>
    public LoraPair? this[int layer, LinearKind kind] => _pairs[Slot(layer, kind)];

    /// <summary>Whether a linear layer that comes before this one carries a pair.</summary>
    public bool CarriesBelow(LinearKind kind)
    {
        for (var each = LinearKind.Query; each < kind; each++)
        {
            if (Options.Carries(each)) return true;
        }
        return false;
    }

    /// <summary>The number of a linear layer.</summary>
    public static int Slot(int layer, LinearKind kind) => layer * ParameterLayout.LinearsPerLayer + (int)kind;

    public void Expect(int length)
    {
        if (length != Layout.Length) throw new ArgumentException($"adapter: expected {Layout.Length} entries, found {length}", nameof(length));
    }
}
