namespace EcoLora.Formats.Data;

/// <summary>The usable records of one file, in the file's order.</summary>
/// <param name="File">Path of the file, as the caller named it.</param>
/// <param name="Records">Records with an instruction and an answer; at least one.</param>
/// <param name="DroppedWithoutAnswer">Number of records that were left out because their answer is missing, null or blank.</param>
public sealed record InstructionDataSet(string File, IReadOnlyList<Instruction> Records, int DroppedWithoutAnswer);
