namespace EcoLora.Local;

/// <summary>What <c>ecolora</c> returns to the shell.</summary>
public static class ExitCodes
{
    /// <summary>Done.</summary>
    public const int Success = 0;

    /// <summary>The machine failed (disk full, out of memory) or the program did.</summary>
    public const int Failure = 1;

    /// <summary>The command line is not one that <c>--help</c> describes.</summary>
    public const int Usage = 2;

    /// <summary>A file or an option that was given cannot be used, or a service refused it; one line says which, what was expected and what was found.</summary>
    public const int BadInput = 3;

    /// <summary>The run's folder is in use, or holds another run.</summary>
    public const int FolderRefused = 4;

    /// <summary>What was asked to be checked does not hold; what was found has been printed.</summary>
    public const int CheckFailed = 5;

    /// <summary>Ctrl-C.</summary>
    public const int Interrupted = 130;

    /// <summary>The same as text for <c>--help</c>.</summary>
    public const string Description =
        "0 done; 1 the machine or the program failed; 2 wrong command line; 3 a file or an option cannot be used, or a service refused it;\n"
        + "4 the run's folder is in use or holds another run; 5 a check does not hold; 130 interrupted (Ctrl-C)";
}

/// <summary>A run folder that may not be written: another process uses it, or it holds a run and neither <c>--resume</c> nor <c>--force</c> was
/// given.</summary>
/// <param name="message">Folder, what was found, what to do.</param>
public sealed class RunFolderRefusedException(string message) : IOException(message);
