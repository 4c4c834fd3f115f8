namespace EcoLora.Formats.Data;

/// <summary>The usable records of one file, in the file's order.</summary>
/// <param name="File">Path of the file, as the caller named it.</param>
/// <param name="Records">Records with an instruction and an answer, or two that differ; at least one.</param>
/// <param name="DroppedWithoutAnswer">Number of records that were left out because an answer is missing, null or blank, or the answers of a pair are equal.</param>
public sealed record InstructionDataSet(string File, IReadOnlyList<Instruction> Records, int DroppedWithoutAnswer);
