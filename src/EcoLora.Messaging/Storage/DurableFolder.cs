using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace EcoLora.Messaging;

/// <summary>
/// A folder whose files are either whole or absent, whenever the process or the machine stops: a file is written under a temporary name, flushed
/// to the disk, renamed, and the folder's entry flushed too.
/// </summary>
public sealed class DurableFolder
{
    private const string TemporarySuffix = ".tmp";

    /// <summary>Opens the folder, makes it if needed, and removes what an interrupted write left.</summary>
    public DurableFolder(string path)
    {
        bool isNew = !Directory.Exists(path);
        Path = Directory.CreateDirectory(path).FullName;
        if (isNew && System.IO.Path.GetDirectoryName(Path) is { } parent) FlushEntries(parent);
        foreach (string leftover in Directory.EnumerateFiles(Path, "*" + TemporarySuffix)) File.Delete(leftover);
    }

    /// <summary>Full path.</summary>
    public string Path { get; }

    /// <summary>A folder inside this one.</summary>
    public DurableFolder Folder(string name) => new(System.IO.Path.Combine(Path, name));

    /// <summary>Full path of a file inside.</summary>
    public string FileAt(string name) => System.IO.Path.Combine(Path, name);

    /// <summary>Writes or replaces a file as a whole.</summary>
    /// <exception cref="IOException">The disk is full or fails; the file is as it was.</exception>
    public void Write(string name, params ReadOnlySpan<ReadOnlyMemory<byte>> parts)
    {
        string path = FileAt(name), temporary = path + TemporarySuffix;
        try
        {
            using (SafeFileHandle file = File.OpenHandle(temporary, FileMode.Create, FileAccess.Write, FileShare.None))
            {
                long offset = 0;
                foreach (ReadOnlyMemory<byte> part in parts)
                {
                    RandomAccess.Write(file, part.Span, offset);
                    offset += part.Length;
                }
                RandomAccess.FlushToDisk(file);
            }
            File.Move(temporary, path, overwrite: true);
        }
        catch
        {
            File.Delete(temporary);
            throw;
        }
        FlushEntries(Path);
    }

    /// <summary>The file's bytes, or null when there is none.</summary>
    public byte[]? Read(string name)
    {
        string path = FileAt(name);
        try
        {
            return File.Exists(path) ? File.ReadAllBytes(path) : null;
        }
        catch (FileNotFoundException)
        {
            return null; // It has gone since.
        }
    }

    /// <summary>Deletes the file if it is there.</summary>
    public void Delete(string name) => File.Delete(FileAt(name));

    /// <summary>Names of the files that match, in ordinal order.</summary>
    public string[] List(string pattern) =>
        [.. Directory.EnumerateFiles(Path, pattern).Select(path => System.IO.Path.GetFileName(path)).Order(StringComparer.Ordinal)];

    /// <summary>Makes the names in a folder durable.</summary>
    internal static void FlushEntries(string path)
    {
        // A new or renamed file is durable only once the folder's own entries are; .NET cannot open a folder for that, so POSIX is asked directly.
        if (OperatingSystem.IsWindows()) return;
        int descriptor = Posix.Open(path, 0);
        if (descriptor < 0) return;
        _ = Posix.FSync(descriptor);
        _ = Posix.Close(descriptor);
    }

    private static class Posix
    {
        [DllImport("libc", EntryPoint = "open", CharSet = CharSet.Ansi, BestFitMapping = false, ThrowOnUnmappableChar = true)]
        public static extern int Open(string path, int flags);

        [DllImport("libc", EntryPoint = "fsync")]
        public static extern int FSync(int descriptor);

        [DllImport("libc", EntryPoint = "close")]
        public static extern int Close(int descriptor);
    }
}
