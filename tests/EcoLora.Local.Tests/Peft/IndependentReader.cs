using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;
using EcoLora.TestKit;

namespace EcoLora.Local.Tests;

/// <summary>peft_logits.py, written from PEFT's and transformers' descriptions alone, in double precision.</summary>
internal static class IndependentReader
{
    private const string Debian = "/usr/bin/python3"; // has Debian's numpy, which another python3 on the PATH may lack
    private const int NumpyMissing = 3;

    /// <summary>Logits [tokens][vocabulary] of a model folder with an adapter folder, or without one.</summary>
    public static double[][] Logits(string model, string? adapter, int[] tokens)
    {
        string script = Path.Combine(Repository.Root, "tests/EcoLora.Local.Tests/Peft/peft_logits.py");
        var start = new ProcessStartInfo(File.Exists(Debian) ? Debian : "python3",
            [script, model, adapter ?? "-", .. tokens.Select(token => token.ToString(CultureInfo.InvariantCulture))])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        int exitCode = 0;
        string output = "", errors = "";
        try
        {
            using Process process = Process.Start(start)!;
            Task<string> reading = process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
            output = process.StandardOutput.ReadToEnd();
            errors = reading.GetAwaiter().GetResult();
            process.WaitForExit();
            exitCode = process.ExitCode;
        }
        catch (Win32Exception fault)
        {
            Assert.Skip($"needs python3: {fault.Message}");
        }
        Assert.SkipWhen(exitCode == NumpyMissing, $"needs numpy: {output.Trim()}");
        Assert.True(exitCode == 0, $"expected exit code 0, found {exitCode}:\n{errors}");
        return [.. output.Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Select(line => line.Split(' ').Select(value => double.Parse(value, CultureInfo.InvariantCulture)).ToArray())];
    }
}
