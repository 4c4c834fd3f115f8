namespace EcoLora.Formats.Data;

/// <summary>
/// Reads multiple-choice questions, plain or gzip-compressed, UTF-8 with or without a byte order mark.
/// <list type="bullet">
/// <item>A name that ends in <c>.csv</c> or <c>.csv.gz</c>: MMLU (Hendrycks et al., 2021). RFC 4180 without a header, six fields a record: question, four
/// choices, and the letter A, B, C or D of the right one.</item>
/// <item>Any other name: ARC (Clark et al., 2018) as the Hugging Face hub has it, JSONL or one JSON array:
/// <c>{"question": "…", "choices": {"text": ["…", …], "label": ["A", …]}, "answerKey": "A"}</c> with 3 to 5 choices. A label is any text, such as A–D or
/// 1–4; the key is one of the record's own. Other fields are skipped.</item>
/// </list>
/// </summary>
public static class MultipleChoiceFile
{
    /// <summary>Reads every question, in the file's order.</summary>
    /// <param name="path">The file.</param>
    /// <returns>At least one question.</returns>
    /// <exception cref="DataSetException">The file is empty, is not what it should be at some line, cannot be decompressed, or exceeds a limit: those of
    /// <see cref="InstructionFile"/>.</exception>
    /// <exception cref="IOException">The file cannot be opened or read.</exception>
    public static IReadOnlyList<MultipleChoiceQuestion> Read(string path) =>
        Read(path, InstructionFile.MaximumRecordBytes, InstructionFile.MaximumContentBytes);

    internal static IReadOnlyList<MultipleChoiceQuestion> Read(string path, int maximumRecordBytes, long maximumContentBytes)
    {
        using var content = new ContentStream(path, maximumContentBytes);
        string name = path.EndsWith(".gz", StringComparison.OrdinalIgnoreCase) ? path[..^3] : path;
        MultipleChoiceQuestion[] questions = name.EndsWith(".csv", StringComparison.OrdinalIgnoreCase)
            ? [.. new MmluReader(content, path, maximumRecordBytes).Questions()]
            : [.. new RecordScanner(content, path, maximumRecordBytes).Records().Select(raw => ArcRecord.Parse(raw, path))];
        if (questions.Length > 0) return questions;
        throw new DataSetException(path, "", "at least one question", content.IsEmpty ? "an empty file" : "none");
    }
}
