using EcoLora.Formats.Data;
using EcoLora.Formats.HuggingFace;
using EcoLora.Formats.Peft;
using EcoLora.Formats.Tokenizers;
using EcoLora.Training;

namespace EcoLora.Local;

/// <summary>A base model with its tokenizer and, where one is given, a LoRA adapter merged into it: what <c>eval</c> and <c>generate</c> run on.</summary>
/// <param name="Model">The weights.</param>
/// <param name="Tokenizer">The tokenizer.</param>
/// <param name="BosId">Begin of text.</param>
/// <param name="EosId">End of text.</param>
internal sealed record TunedModel(LlamaModel Model, BpeTokenizer Tokenizer, int BosId, int EosId)
{
    /// <summary>Reads a model folder and merges an adapter folder.</summary>
    /// <exception cref="FormatException">One of them cannot be used, or they do not fit together.</exception>
    public static TunedModel Open(string modelFolder, string? adapterFolder)
    {
        using ModelFolder folder = ModelFolder.Open(modelFolder);
        if (folder.BosId is not { } bos || folder.EosId is not { } eos)
            throw new ModelFolderException($"{modelFolder}: expected a tokenizer or config with BOS and EOS, found none");
        LlamaModel model = LlamaModel.Load(folder);
        if (adapterFolder is not null)
        {
            (LoraOptions options, float[] vector) = AdapterVector.Of(PeftAdapter.Read(adapterFolder), model.Config, adapterFolder);
            model = model.WithAdapter(options, vector);
        }
        return new TunedModel(model, folder.Tokenizer, bos, eos);
    }

    /// <summary>Makes token sequences in the form of a template.</summary>
    /// <exception cref="ArgumentException">The tokenizer lacks a special token of the template.</exception>
    public ExampleFactory Factory(string template) => new(PromptTemplate.Named(template), Tokenizer, BosId, EosId);

    /// <summary>Checks a window.</summary>
    /// <exception cref="ArgumentException">The window is longer than the model's positions.</exception>
    public void Expect(int window)
    {
        if (window > Model.Config.MaxPositions)
            throw new ArgumentException($"window: expected at most {Model.Config.MaxPositions} (the model's max_position_embeddings), found {window}");
    }

    /// <summary>Questions as token sequences of at most the model's positions, and how many had their prompt cut for that.</summary>
    /// <exception cref="ArgumentException">A choice cannot be scored.</exception>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    public (ChoiceQuestion[] Questions, int Cut) Questions(IReadOnlyList<MultipleChoiceQuestion> questions, CancellationToken cancellation)
    {
        var factory = new ChoiceFactory(text => Tokenizer.Encode(text), BosId);
        var tokenised = new ChoiceQuestion[questions.Count];
        int cut = 0;
        for (int i = 0; i < tokenised.Length; i++)
        {
            cancellation.ThrowIfCancellationRequested();
            (PromptedSequence[] choices, bool isCut) = factory.Create(questions[i], Model.Config.MaxPositions);
            tokenised[i] = new ChoiceQuestion([.. choices.Select(made => new Example(made.Tokens, made.PromptLength, made.Category, made.Answer))], questions[i].Answer);
            if (isCut) cut++;
        }
        return (tokenised, cut);
    }
}
