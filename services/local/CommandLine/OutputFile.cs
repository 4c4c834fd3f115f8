namespace EcoLora.Local;

/// <summary>Files that commands leave for the user: whole or not at all.</summary>
internal static class OutputFile
{
    /// <summary>Writes a file beside its place, flushes it to the disk and renames it; on a failure nothing is left and a former file stays.</summary>
    public static void Write(string path, Action<Stream> content)
    {
        path = Path.GetFullPath(path);
        if (Directory.Exists(path)) throw new ArgumentException($"{path}: expected a file name, found a folder");
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        string unfinished = path + ".unfinished";
        try
        {
            using (var stream = new FileStream(unfinished, FileMode.Create, FileAccess.Write, FileShare.None, 1 << 16))
            {
                content(stream);
                stream.Flush(flushToDisk: true);
            }
            File.Move(unfinished, path, overwrite: true);
        }
        catch
        {
            File.Delete(unfinished);
            throw;
        }
    }
}
