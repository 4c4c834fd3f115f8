using System.ComponentModel;
using System.Diagnostics;
using System.Text;

namespace EcoLora.Local.Bench;

/// <summary>Runs a program that something is compared with.</summary>
internal static class PeerProcess
{
    /// <summary>Debian's Python, which has the modules of Debian's packages.</summary>
    public const string Python = "/usr/bin/python3";

    /// <summary>Gives a program its input and returns what it wrote.</summary>
    /// <exception cref="InvalidOperationException">It cannot be started, or failed; the message is the last line of its errors.</exception>
    /// <exception cref="OperationCanceledException">Cancelled; the program was ended.</exception>
    public static string Run(ProcessStartInfo start, string input, CancellationToken cancellation)
    {
        start.RedirectStandardInput = start.RedirectStandardOutput = start.RedirectStandardError = true;
        start.StandardInputEncoding = new UTF8Encoding(encoderShouldEmitUTF8Identifier: false);
        try
        {
            using Process process = Process.Start(start)!;
            using CancellationTokenRegistration ended = cancellation.Register(() => process.Kill(entireProcessTree: true));
            Task<string> error = process.StandardError.ReadToEndAsync(CancellationToken.None), output = process.StandardOutput.ReadToEndAsync(CancellationToken.None);
            try
            {
                process.StandardInput.Write(input);
                process.StandardInput.Close();
            }
            catch (IOException)
            {
                // It ended without reading; its error says why.
            }
            process.WaitForExit();
            cancellation.ThrowIfCancellationRequested();
            return process.ExitCode == 0 ? output.Result.Trim() : throw new InvalidOperationException(error.Result.Trim().Split('\n')[^1]);
        }
        catch (Win32Exception fault)
        {
            throw new InvalidOperationException(fault.Message);
        }
    }
}
