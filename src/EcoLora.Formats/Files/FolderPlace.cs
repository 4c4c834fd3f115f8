namespace EcoLora.Formats.Files;

/// <summary>Where folders really lie.</summary>
internal static class FolderPlace
{
    /// <summary>Whether a folder is another one or lies in it, links followed.</summary>
    public static bool IsWithin(string folder, string other) =>
        (RealPath(folder) + Path.DirectorySeparatorChar).StartsWith(RealPath(other) + Path.DirectorySeparatorChar, StringComparison.Ordinal);

    private static string RealPath(string path)
    {
        path = Path.TrimEndingDirectorySeparator(Path.GetFullPath(path));
        if (Path.GetDirectoryName(path) is not { } parent) return path.TrimEnd(Path.DirectorySeparatorChar);
        // The folder above may be a link, and what a link leads to may lie below other links.
        string real = Path.Combine(RealPath(parent) + Path.DirectorySeparatorChar, Path.GetFileName(path));
        bool link = Directory.Exists(real) && new DirectoryInfo(real).LinkTarget is not null;
        return link ? RealPath(Directory.ResolveLinkTarget(real, returnFinalTarget: false)!.FullName) : real;
    }
}
