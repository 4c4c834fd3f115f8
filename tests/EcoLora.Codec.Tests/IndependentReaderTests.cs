using System.ComponentModel;
using System.Diagnostics;
using EcoLora.TestKit;

namespace EcoLora.Codec.Tests;

/// <summary>Golden/decode_frames.py was written from FORMAT.md alone: where it reads the pinned frames alike, that page is enough for a reader.</summary>
public sealed class IndependentReaderTests
{
    private const string Debian = "/usr/bin/python3"; // has Debian's numpy, which another python3 on the PATH may lack
    private const int NumpyMissing = 3;

    [Fact]
    public void An_independent_reader_finds_the_same_numbers_in_the_pinned_frames() => Decode();

    [Fact]
    public void An_independent_reader_refuses_changed_and_shortened_frames() => Decode("--refuse");

    private static void Decode(params string[] options)
    {
        string folder = Path.Combine(Repository.Root, "tests/EcoLora.Codec.Tests/Golden");
        var start = new ProcessStartInfo(File.Exists(Debian) ? Debian : "python3", [Path.Combine(folder, "decode_frames.py"), .. options, folder])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        int exitCode;
        string output;
        try
        {
            using Process process = Process.Start(start)!;
            Task<string> errors = process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
            output = process.StandardOutput.ReadToEnd() + errors.GetAwaiter().GetResult();
            process.WaitForExit();
            exitCode = process.ExitCode;
        }
        catch (Win32Exception fault)
        {
            Assert.Skip($"needs python3: {fault.Message}");
            return;
        }
        Assert.SkipWhen(exitCode == NumpyMissing, $"needs numpy: {output.Trim()}");
        Assert.True(exitCode == 0, $"expected exit code 0, found {exitCode}:\n{output}");
    }
}
