namespace EcoLora.TestKit;

/// <summary>
/// The real inputs that are never copied into the repository. They are found at <c>$ECOLORA_SHARED</c>, else at <c>../shared</c> beside the
/// repository; a test that needs one that is absent is reported as skipped.
/// </summary>
public static class SharedData
{
    /// <summary>Full path of a file or folder under <c>data/</c>, or a skipped test that names it.</summary>
    public static string Path(string relative)
    {
        string path = System.IO.Path.Combine(Root, "data", relative);
        Xunit.Assert.SkipUnless(File.Exists(path) || Directory.Exists(path), $"needs shared data: {path} (set ECOLORA_SHARED)");
        return path;
    }

    private static string Root
    {
        get
        {
            if (Environment.GetEnvironmentVariable("ECOLORA_SHARED") is { Length: > 0 } configured) return configured;
            return System.IO.Path.GetFullPath(System.IO.Path.Combine(Repository.Root, "..", "shared"));
        }
    }
}

/// <summary>Where the tests' own checkout lies.</summary>
public static class Repository
{
    /// <summary>The folder that holds ecolora-services.slnx.</summary>
    public static string Root { get; } = FindRoot();

    private static string FindRoot()
    {
        for (DirectoryInfo? folder = new(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
            if (File.Exists(System.IO.Path.Combine(folder.FullName, "ecolora-services.slnx")))
                return folder.FullName;
        throw new InvalidOperationException($"no ecolora-services.slnx above {AppContext.BaseDirectory}");
    }
}
