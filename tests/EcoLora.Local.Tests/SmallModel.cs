namespace EcoLora.Local.Tests;

/// <summary>A model that is pretrained in a moment.</summary>
internal static class SmallModel
{
    /// <summary>Its pretraining file; more lines of <c>training</c> may follow.</summary>
    public const string File = """
        corpus_bytes: 60000
        tokenizer: { vocabulary: 300 }
        model: { hidden: 16, intermediate: 32, layers: 2, heads: 2, key_value_heads: 1, positions: 128 }
        training:
          window: 32
          batch_tokens: 128
          warmup_steps: 2

        """;

    /// <summary>Pretrains it for a few steps.</summary>
    public static string Make(string folder, string name)
    {
        string file = Path.Combine(folder, "pretrain.yaml"), model = Path.Combine(folder, name);
        System.IO.File.WriteAllText(file, File + "  steps: 12\n");
        Ecolora.Succeed("pretrain", file, "--out", model);
        return model;
    }
}
