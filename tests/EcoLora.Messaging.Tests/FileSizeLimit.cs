using System.Runtime.InteropServices;

namespace EcoLora.Messaging.Tests;

/// <summary>
/// Makes every file of the process end at a size, so that a write fails in its middle as on a full disk (EFBIG instead of ENOSPC, which .NET tells
/// by ArgumentOutOfRangeException). Linux only; the tests that use it run alone.
/// </summary>
internal sealed class FileSizeLimit : IDisposable
{
    private const int FileSize = 1, ExceededSignal = 25;
    private readonly Limit _before;

    public FileSizeLimit(int bytes)
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "needs Linux's limit on file sizes");
        _ = SetSignal(ExceededSignal, 1); // Ignored, so that the write fails instead.
        Assert.Equal(0, GetLimit(FileSize, out _before));
        Limit limit = _before with { Current = (nuint)bytes };
        Assert.Equal(0, SetLimit(FileSize, limit));
    }

    public void Dispose() => _ = SetLimit(FileSize, _before);

    private record struct Limit(nuint Current, nuint Maximum);

    [DllImport("libc", EntryPoint = "getrlimit")]
    private static extern int GetLimit(int resource, out Limit limit);

    [DllImport("libc", EntryPoint = "setrlimit")]
    private static extern int SetLimit(int resource, in Limit limit);

    [DllImport("libc", EntryPoint = "signal")]
    private static extern nint SetSignal(int number, nint handler);
}

/// <summary>Tests that change a limit of the whole process.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public class WholeProcess
{
    public const string Name = "whole process";
}
