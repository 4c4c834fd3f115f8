using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;

namespace EcoLora.Local;

/// <summary>A command whose help ends with examples.</summary>
/// <param name="name">Its name.</param>
/// <param name="description">One sentence.</param>
/// <param name="details">More, shown only in the command's own help; may be empty.</param>
/// <param name="examples">Whole command lines.</param>
internal sealed class DocumentedCommand(string name, string description, string details, params IReadOnlyList<string> examples) : Command(name, description)
{
    public string Details { get; } = details;

    public IReadOnlyList<string> Examples { get; } = examples;
}

/// <summary>The usual help, then details, examples and exit codes.</summary>
internal sealed class HelpWithExamples(HelpAction usual) : SynchronousCommandLineAction
{
    public override bool ClearsParseErrors => true;

    public override int Invoke(ParseResult parseResult)
    {
        usual.Invoke(parseResult);
        TextWriter output = parseResult.InvocationConfiguration.Output;
        if (parseResult.CommandResult.Command is DocumentedCommand { Examples.Count: > 0 } command)
        {
            if (command.Details.Length > 0) WriteSection(output, "Details", command.Details.Split('\n'));
            WriteSection(output, "Examples", command.Examples);
        }
        WriteSection(output, "Exit codes", ExitCodes.Description.Split('\n'));
        return ExitCodes.Success;
    }

    private static void WriteSection(TextWriter output, string title, IEnumerable<string> lines)
    {
        output.WriteLine($"{title}:");
        foreach (string line in lines) output.WriteLine($"  {line}");
        output.WriteLine();
    }
}
