namespace EcoLora.Formats.Data;

/// <summary>
/// Reads preference data: a prompt with a preferred answer (<see cref="Instruction.Response"/>) and another one (<see cref="Instruction.Rejected"/>). The
/// containers are those of <see cref="InstructionFile"/>; a record has <c>chosen</c> and <c>rejected</c>, and its prompt is one of
/// <list type="bullet">
/// <item><c>conversations</c>, an array of messages (LLaMA-Factory);</item>
/// <item><c>prompt</c>, a string or an array of messages (Hugging Face);</item>
/// <item><c>instruction</c> with an optional <c>input</c>, its context (Alpaca's names).</item>
/// </list>
/// A message is <c>{"from", "value"}</c> or <c>{"role", "content"}</c>, by system, user (human) or assistant (gpt). An answer is a string, a message, or an array
/// of messages that ends with it; what an array has before it is the prompt, the same in both, and the prompt's own field is not read (UltraFeedback).
/// Of several messages the last, which is the user's, is the question; those before it are its context, in their order with an empty line between: a system
/// message as it is, the others after <c>User: </c> and <c>Assistant: </c>. <c>category</c> is optional, other fields are skipped.
/// </summary>
public static class PreferenceFile
{
    /// <summary>Reads every usable record; one without an answer, or with two equal ones, says nothing about preference: it is dropped and counted.</summary>
    /// <param name="path">The file.</param>
    /// <exception cref="DataSetException">The file is empty, is not what it should be at some line or element, exceeds a limit (those of
    /// <see cref="InstructionFile"/>), cannot be decompressed, or has not one usable record.</exception>
    /// <exception cref="IOException">The file cannot be opened or read.</exception>
    public static InstructionDataSet Read(string path) => Read(path, InstructionFile.MaximumRecordBytes, InstructionFile.MaximumContentBytes);

    internal static InstructionDataSet Read(string path, int maximumRecordBytes, long maximumContentBytes)
    {
        using var content = new ContentStream(path, maximumContentBytes);
        var records = new List<Instruction>();
        int dropped = 0;
        foreach (RawRecord raw in new RecordScanner(content, path, maximumRecordBytes).Records())
        {
            Instruction record = PreferenceRecord.Parse(raw, path);
            string chosen = record.Response.Trim(), rejected = record.Rejected!.Trim();
            if (chosen.Length == 0 || rejected.Length == 0 || chosen == rejected) dropped++;
            else records.Add(record);
        }
        if (records.Count > 0) return new InstructionDataSet(path, records, dropped);
        throw dropped == 0
            ? new DataSetException(path, "", "at least one record", content.IsEmpty ? "an empty file" : "none")
            : new DataSetException(path, "", "at least one record with two answers that differ, 'chosen' and 'rejected'", $"{dropped} without");
    }
}
