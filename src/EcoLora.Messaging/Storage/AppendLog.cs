namespace EcoLora.Messaging;

/// <summary>
/// A text file to which whole lines are appended, each on the disk before <see cref="Append"/> returns. A line that an interruption cut off is
/// removed when the file is opened again.
/// </summary>
public sealed class AppendLog : IDisposable
{
    private readonly FileStream _file;

    private AppendLog(FileStream file) => _file = file;

    /// <summary>Opens or makes the file.</summary>
    /// <param name="path">The file.</param>
    /// <param name="lines">The whole lines that it holds, without their line ends.</param>
    public static AppendLog Open(string path, out List<byte[]> lines)
    {
        // Without a buffer, so that a line whose write failed is not tried again behind the caller's back.
        var file = new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.Read, bufferSize: 0);
        if (file.Length == 0) DurableFolder.FlushEntries(Path.GetDirectoryName(Path.GetFullPath(path))!);
        byte[] content = new byte[file.Length];
        file.ReadExactly(content);
        lines = Lines(content, out int start);
        if (start < content.Length) file.SetLength(start);
        file.Position = start;
        return new AppendLog(file);
    }

    /// <summary>The whole lines of such a file, which stays as it is, also while another process appends to it.</summary>
    public static List<byte[]> ReadLines(string path)
    {
        using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        byte[] content = new byte[file.Length];
        file.ReadExactly(content);
        return Lines(content, out _);
    }

    private static List<byte[]> Lines(byte[] content, out int end)
    {
        var lines = new List<byte[]>();
        end = 0;
        for (int next = Array.IndexOf(content, (byte)'\n'); next >= 0; next = Array.IndexOf(content, (byte)'\n', end))
        {
            lines.Add(content[end..next]);
            end = next + 1;
        }
        return lines;
    }

    /// <summary>Appends one line and flushes it to the disk.</summary>
    /// <param name="line">The line, without a line end inside.</param>
    /// <exception cref="IOException">The disk is full or fails; the part of the line that was written is removed again.</exception>
    public void Append(ReadOnlySpan<byte> line)
    {
        if (line.Contains((byte)'\n')) throw new ArgumentException("a line must not contain a line end", nameof(line));
        long start = _file.Position;
        try
        {
            byte[] whole = [.. line, (byte)'\n'];
            _file.Write(whole);
            _file.Flush(flushToDisk: true);
        }
        catch
        {
            // Not only IOException: .NET tells a file that reached the limit on its size by ArgumentOutOfRangeException.
            _file.SetLength(start);
            _file.Position = start;
            throw;
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _file.Dispose();
}
