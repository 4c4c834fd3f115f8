namespace EcoLora.Formats.Files;

/// <summary>
/// Files and folders that a reader sees whole or not at all: they are written beside their place, flushed to disk and renamed.
/// The temporary name is fixed, so what a crash left behind is overwritten by the next attempt.
/// </summary>
public static class AtomicFile
{
    private const string Unfinished = ".unfinished";
    private const string Former = ".former";

    /// <summary>Writes a file of its folder; the folder is made when absent. On a fault the former file stays and nothing else is left.</summary>
    public static void Write(string path, Action<Stream> content)
    {
        path = Path.GetFullPath(path);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        string unfinished = path + Unfinished;
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

    /// <summary>
    /// Writes a folder by filling a sibling and renaming it. A former folder of that name is moved aside first and deleted last: for the
    /// moment between two renames there is no folder, but never half of one.
    /// </summary>
    public static void WriteFolder(string path, Action<string> content)
    {
        path = Path.TrimEndingDirectorySeparator(Path.GetFullPath(path));
        string unfinished = path + Unfinished, former = path + Former;
        Delete(unfinished);
        try
        {
            Directory.CreateDirectory(unfinished);
            content(unfinished);
            if (Directory.Exists(path))
            {
                Delete(former);
                Directory.Move(path, former);
            }
            Directory.Move(unfinished, path);
        }
        catch
        {
            if (!Directory.Exists(path) && Directory.Exists(former)) Directory.Move(former, path);
            Delete(unfinished);
            throw;
        }
        Delete(former);
    }

    private static void Delete(string folder)
    {
        if (Directory.Exists(folder)) Directory.Delete(folder, recursive: true);
    }
}
