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

    /// <summary>A program of the build that the tests are of: they lie side by side.</summary>
    /// <param name="project">Its project, which names it too.</param>
    public static string Program(string project)
    {
        var own = new DirectoryInfo(System.IO.Path.TrimEndingDirectorySeparator(AppContext.BaseDirectory));
        string path = System.IO.Path.Combine(own.Parent!.Parent!.FullName, project, own.Name, project);
        return File.Exists(path) ? path : throw new FileNotFoundException($"expected {path}, found none: build {project}");
    }

    private static string FindRoot()
    {
        for (DirectoryInfo? folder = new(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
            if (File.Exists(System.IO.Path.Combine(folder.FullName, "ecolora-services.slnx")))
                return folder.FullName;
        throw new InvalidOperationException($"no ecolora-services.slnx above {AppContext.BaseDirectory}");
    }
}
