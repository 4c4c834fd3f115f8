namespace EcoLora.Formats.Data;

/// <summary>
/// Reads instruction data sets: JSONL (one object a line) or one JSON array of objects, plain or gzip-compressed, with the field names of Dolly
/// (<c>instruction, context, response, category</c>) or Alpaca (<c>instruction, input, output</c>). Container and field names are told by
/// content, the names record by record; other fields are skipped. UTF-8 with or without a byte order mark, any newline.
/// The file is streamed: memory is the usable records and one record's bytes.
/// </summary>
public static class InstructionFile
{
    /// <summary>Longest record that is read, in bytes of JSON: 16 MiB.</summary>
    public const int MaximumRecordBytes = 16 << 20;

    /// <summary>Most content that is read, in bytes after decompression: 1 GiB, so that a small compressed file cannot fill the memory.</summary>
    public const long MaximumContentBytes = 1L << 30;

    /// <summary>Reads every usable record; a record without an answer is dropped and counted.</summary>
    /// <param name="path">The file.</param>
    /// <exception cref="DataSetException">The file is empty, is not what it should be at some line or element, has a record without an instruction or
    /// with a field that is not a string, exceeds a limit, cannot be decompressed, or has not one usable record.</exception>
    /// <exception cref="IOException">The file cannot be opened or read.</exception>
    public static InstructionDataSet Read(string path) => Read(path, MaximumRecordBytes, MaximumContentBytes);

    internal static InstructionDataSet Read(string path, int maximumRecordBytes, long maximumContentBytes)
    {
        using var content = new ContentStream(path, maximumContentBytes);
        var parser = new RecordParser(path);
        var records = new List<Instruction>();
        int dropped = 0;
        foreach (RawRecord raw in new RecordScanner(content, path, maximumRecordBytes).Records())
        {
            Instruction record = parser.Parse(raw);
            if (string.IsNullOrWhiteSpace(record.Response)) dropped++;
            else records.Add(record);
        }
        if (records.Count > 0) return new InstructionDataSet(path, records, dropped);
        throw dropped == 0
            ? new DataSetException(path, "", "at least one record", content.IsEmpty ? "an empty file" : "none")
            : new DataSetException(path, "", "at least one record with an answer", $"{dropped} without");
    }
}
