using System.Text;
using EcoLora.Formats.Data.Synthetic;
using EcoLora.Formats.HuggingFace;
using EcoLora.Formats.Tokenizers;
using EcoLora.Numerics;
using EcoLora.Training;

namespace EcoLora.Local;

/// <summary>What pretraining came to.</summary>
/// <param name="Parameters">Parameters of the model.</param>
/// <param name="Vocabulary">Tokens of the vocabulary.</param>
/// <param name="CorpusTokens">Tokens of the corpus.</param>
/// <param name="Steps">Steps made.</param>
/// <param name="Loss">Mean loss per token of the last twentieth of the steps, in nats.</param>
internal sealed record PretrainingResult(long Parameters, int Vocabulary, long CorpusTokens, int Steps, double Loss);

/// <summary>Corpus to tokenizer to trained base model to Hugging Face folder. The same file gives the same bytes on one instruction-set path.</summary>
internal static class Pretraining
{
    private const long LargestCorpus = 1L << 30;

    /// <summary>Trains and writes the folder, which appears whole or not at all.</summary>
    /// <param name="file">What to do.</param>
    /// <param name="folder">Where to.</param>
    /// <param name="onPhase">Is told what begins.</param>
    /// <param name="onStep">Is told each step.</param>
    /// <param name="cancellation">Honoured between steps; nothing has been written then.</param>
    public static PretrainingResult Run(PretrainFile file, string folder, Action<string> onPhase, Action<TrainingStep> onStep, CancellationToken cancellation)
    {
        onPhase("reading the corpus");
        string[] documents = Documents(file);
        onPhase("training the tokenizer");
        BpeTokenizer tokenizer = BpeTrainer.Train(documents, file.Vocabulary);
        cancellation.ThrowIfCancellationRequested();
        int[] tokens = [.. documents.SelectMany(document => (int[])[tokenizer.BosId!.Value, .. tokenizer.Encode(document), tokenizer.EosId!.Value])];
        LlamaConfig config = file.Model with { Vocabulary = tokenizer.VocabularySize };
        var tail = new TailLoss(file.Training.Steps!.Value);
        onPhase("training the model");
        (LlamaModel model, TrainingResult result) = BaseTrainer.Train(
            LlamaModel.Random(config, new RandomStream(file.Seed, "base-weights")), BaseTrainer.Windows(tokens, file.Window), file.Training,
            new RandomStream(file.Seed, "pretraining"), step => { tail.Add(step); onStep(step); }, cancellation);
        if (result.Outcome != TrainingOutcome.Completed)
            throw new ArgumentException($"training: step {result.Steps + 1}: expected a finite loss and gradient, found none; "
                + "a lower training.learning_rate may help");
        onPhase("writing the folder");
        ModelFolder.Save(folder, ConfigOf(config, tokenizer), tokenizer, model.Tensors(), file.SavedAs);
        return new PretrainingResult(model.Layout.Length, tokenizer.VocabularySize, tokens.LongLength, result.Steps, tail.Mean);
    }

    private static string[] Documents(PretrainFile file)
    {
        var text = new MemoryStream();
        if (file.Corpus is null) CorpusGenerator.Write(text, file.Seed, file.CorpusBytes);
        else Copy(file.Corpus, text);
        string[] documents = new UTF8Encoding(false).GetString(text.GetBuffer(), 0, (int)text.Length).TrimStart('\uFEFF').ReplaceLineEndings("\n")
            .Split("\n\n", StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        return documents.Length > 0 ? documents : throw new FormatException($"{file.Corpus}: expected text, found none");
    }

    private static void Copy(string path, MemoryStream text)
    {
        using FileStream corpus = File.OpenRead(path);
        if (corpus.Length > LargestCorpus) throw new FormatException($"{path}: expected at most {LargestCorpus} bytes, found {corpus.Length}");
        corpus.CopyTo(text);
    }

    private static ModelConfig ConfigOf(LlamaConfig config, BpeTokenizer tokenizer) => new()
    {
        VocabularySize = config.Vocabulary,
        HiddenSize = config.HiddenSize,
        IntermediateSize = config.IntermediateSize,
        Layers = config.Layers,
        Heads = config.Heads,
        KeyValueHeads = config.KeyValueHeads,
        HeadSize = config.HeadSize,
        MaxPositions = config.MaxPositions,
        RmsNormEpsilon = config.NormEpsilon,
        RopeTheta = config.RopeTheta,
        TiedEmbeddings = config.TieEmbeddings,
        BosId = tokenizer.BosId,
        EosIds = [tokenizer.EosId!.Value],
    };

    /// <summary>Mean loss of the last twentieth of the steps.</summary>
    private sealed class TailLoss(int steps)
    {
        private readonly int _from = steps - Math.Max(1, steps / 20);
        private double _sum;
        private int _count;

        public double Mean => _sum / _count;

        public void Add(TrainingStep step)
        {
            if (step.Step <= _from) return;
            _sum += step.Loss;
            _count++;
        }
    }
}
