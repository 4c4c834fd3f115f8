using EcoLora.Formats.Data;
using EcoLora.Training;

namespace EcoLora.Services.Trainer;

/// <summary>Records as the token sequences that the engine works on.</summary>
public static class TokenisedRecords
{
    /// <summary>Each record as an example.</summary>
    public static Example[] Examples(this ExampleFactory factory, IReadOnlyList<Instruction> records, int window) =>
        [.. records.Select(record => Of(factory.Create(record, window)))];

    /// <summary>Each record's two answers as a pair.</summary>
    public static PreferencePair[] Pairs(this ExampleFactory factory, IReadOnlyList<Instruction> records, int window) =>
        [.. records.Select(record => factory.CreatePair(record, window)).Select(pair => new PreferencePair(Of(pair.Chosen), Of(pair.Rejected)))];

    private static Example Of(PromptedSequence sequence) => new(sequence.Tokens, sequence.PromptLength, sequence.Category, sequence.Answer);
}
