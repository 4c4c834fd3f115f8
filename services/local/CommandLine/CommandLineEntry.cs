using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Parsing;
using EcoLora.Local.Bench;
using EcoLora.Local.Hub;

namespace EcoLora.Local;

/// <summary>Parses the arguments, runs the command, and turns every failure into one line on standard error and an exit code.</summary>
public static class CommandLineEntry
{
    private static readonly TimeSpan TimeToStop = TimeSpan.FromSeconds(20);

    /// <summary>Runs one command.</summary>
    /// <param name="run">What <c>ecolora run</c> does.</param>
    /// <param name="arguments">The arguments.</param>
    /// <returns>One of <see cref="ExitCodes"/>.</returns>
    public static async Task<int> RunAsync(RunHandler run, string[] arguments)
    {
        RootCommand root = CreateRoot(run);
        // Response files would make a prompt or a value that starts with @ a file name.
        ParseResult parsed = root.Parse(arguments, new ParserConfiguration { ResponseFileTokenReplacer = null });
        if (parsed.Errors.Count > 0 && parsed.Action is not HelpWithExamples)
        {
            Console.Error.WriteLine($"ecolora: {UsageError(parsed)} (see {HelpCommand(parsed.CommandResult)})");
            return ExitCodes.Usage;
        }
        try
        {
            return await parsed.InvokeAsync(new InvocationConfiguration { EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = TimeToStop });
        }
        catch (Exception failure)
        {
            return Explain(failure);
        }
    }

    /// <summary>Writes what went wrong and says the exit code. An input that cannot be used is one line; a failure of the program comes with its
    /// stack.</summary>
    internal static int Explain(Exception failure)
    {
        int code = failure switch
        {
            OperationCanceledException => ExitCodes.Interrupted,
            RunFolderRefusedException => ExitCodes.FolderRefused,
            FormatException or ArgumentException or FileNotFoundException or DirectoryNotFoundException or UnauthorizedAccessException => ExitCodes.BadInput,
            _ => ExitCodes.Failure,
        };
        string message = failure switch
        {
            OperationCanceledException => "interrupted",
            FileNotFoundException { FileName: { } file } => $"{file}: no such file",
            _ => OneLine(failure.Message),
        };
        Console.Error.WriteLine($"ecolora: {message}");
        if (code == ExitCodes.Failure && failure is not (IOException or InsufficientMemoryException)) Console.Error.WriteLine(failure);
        return code;
    }

    private static RootCommand CreateRoot(RunHandler run)
    {
        var root = new RootCommand("Federated LoRA fine-tuning with compressed segments (EcoLoRA).")
        {
            RunCommand.Create(run), EvalCommand.Create(), GenerateCommand.Create(), MergeCommand.Create(), InspectCommand.Create(), OptionsCommand.Create(), DataCommand.Create(), PretrainCommand.Create(),
            BenchCommand.Create(), UpCommand.Create(), SubmitCommand.Create(), WatchCommand.Create(), FetchCommand.Create(),
        };
        foreach (Command command in RunCommands.Create().Concat(SiteCommands.Create()).Append(TopicsCommand.Create()).Append(LedgerCommand.Create())) root.Add(command);
        root.Options.OfType<HelpOption>().Single().Action = new HelpWithExamples(new HelpAction());
        return root;
    }

    private static string UsageError(ParseResult parsed)
    {
        string[] unmatched = [.. parsed.UnmatchedTokens];
        Command command = parsed.CommandResult.Command;
        if (unmatched.Length == 0 && command.Subcommands.Count > 0)
            return $"expected a command: {string.Join(", ", command.Subcommands.Select(child => child.Name))}";
        if (unmatched.Length == 0) return OneLine(parsed.Errors[0].Message).TrimEnd('.');
        bool isOption = unmatched[0].StartsWith('-');
        IEnumerable<string> known = isOption ? command.Options.Select(option => option.Name) : command.Subcommands.Select(child => child.Name);
        string nearest = known.Any() ? $"; did you mean '{Hosting.NearestName.Of(unmatched[0], known)}'?" : "";
        return $"unknown argument '{unmatched[0]}'{nearest}";
    }

    private static string HelpCommand(CommandResult command)
    {
        var names = new List<string> { "--help" };
        for (SymbolResult? at = command; at is CommandResult { Parent: not null } inner; at = inner.Parent) names.Insert(0, inner.Command.Name);
        return "ecolora " + string.Join(' ', names);
    }

    /// <summary>The message without the parameter's name that ArgumentException adds, in one line.</summary>
    private static string OneLine(string message)
    {
        string first = string.Join(' ', message.Split(['\r', '\n'], StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries));
        int parameter = first.LastIndexOf(" (Parameter '", StringComparison.Ordinal);
        return parameter < 0 ? first : first[..parameter];
    }
}
