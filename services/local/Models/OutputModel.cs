namespace EcoLora.Local;

/// <summary>Model folders that commands leave for the user.</summary>
internal static class OutputModel
{
    /// <summary>The folder is replaced as a whole, so it must be absent, empty, or, with <c>--force</c>, a model.</summary>
    /// <exception cref="RunFolderRefusedException">It is something else.</exception>
    public static void RefuseOtherContent(string folder, bool force)
    {
        if (File.Exists(folder)) throw new RunFolderRefusedException($"{folder}: expected a folder, found a file");
        if (!Directory.Exists(folder) || !Directory.EnumerateFileSystemEntries(folder).Any()) return;
        if (!File.Exists(Path.Combine(folder, "config.json")))
            throw new RunFolderRefusedException($"{folder}: expected no folder, an empty one or a model, found other files");
        if (!force) throw new RunFolderRefusedException($"{folder} holds a model already; replace it by --force");
    }
}
