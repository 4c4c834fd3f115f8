using System.CommandLine;
using System.Text;
using EcoLora.Hosting;

namespace EcoLora.Local;

/// <summary><c>ecolora options</c>: a run file with every option at its default, each with its meaning.</summary>
internal static class OptionsCommand
{
    /// <summary>Values of the options that have no default.</summary>
    private static readonly Dictionary<string, string> _examples = new(StringComparer.Ordinal) { ["name"] = "my-run", ["model"] = "base", ["data.files"] = "[tasks.jsonl]" };

    public static Command Create()
    {
        var command = new DocumentedCommand("options", "Write a run file with every option at its default, and what it means.",
            "Change name, model and data.files, and keep of the rest what shall differ from its default: a run file may leave out everything else.\n"
            + "The same as a table: docs/run-file.md.", "ecolora options > my-run.yaml");
        command.SetAction(_ =>
        {
            Console.Out.Write(Text());
            return ExitCodes.Success;
        });
        return command;
    }

    private static string Text()
    {
        var text = new StringBuilder();
        foreach (OptionSection section in RunFileOptions.Table.Sections)
        {
            string indent = section.Key.Length == 0 ? "" : "  ";
            AppendComment(text.Append(text.Length == 0 ? "" : "\n"), "", section.Description);
            if (section.Key.Length > 0) text.Append(section.Key).Append(":\n");
            foreach (OptionDefinition option in RunFileOptions.Table.Options.Where(option => option.Section == section.Key))
            {
                AppendComment(text, indent, $"{option.Description} {char.ToUpperInvariant(option.Type.Expected[0])}{option.Type.Expected[1..]}.");
                string? value = option.Default is { } preset ? OptionValues.Shown(preset) : _examples.GetValueOrDefault(option.Path);
                text.Append(indent).Append(value is null ? "# " : "").Append(option.Key).Append(": ").Append(value ?? "…").Append('\n');
            }
        }
        return text.ToString();
    }

    private static void AppendComment(StringBuilder text, string indent, string comment)
    {
        const int width = 110;
        var line = new StringBuilder($"{indent}#");
        foreach (string word in comment.Split(' '))
        {
            if (line.Length + word.Length >= width)
            {
                text.Append(line).Append('\n');
                line.Clear().Append(indent).Append('#');
            }
            line.Append(' ').Append(word);
        }
        text.Append(line).Append('\n');
    }
}
