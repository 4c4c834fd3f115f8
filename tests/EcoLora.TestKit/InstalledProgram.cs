namespace EcoLora.TestKit;

/// <summary>Programs of the machine.</summary>
public static class InstalledProgram
{
    /// <summary>Where the PATH has a program; null where it is not installed.</summary>
    public static string? Find(string name) =>
        (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Select(folder => Path.Combine(folder, name)).FirstOrDefault(File.Exists);
}
