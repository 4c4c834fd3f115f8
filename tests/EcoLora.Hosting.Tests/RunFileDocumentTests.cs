using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using EcoLora.Federation;
using EcoLora.TestKit;

namespace EcoLora.Hosting.Tests;

/// <summary>
/// The option table is the source of docs/run-file.schema.json and of the tables in docs/run-file.md. After a change of the table,
/// <c>ECOLORA_WRITE_DOCS=1 dotnet test --project tests/EcoLora.Hosting.Tests</c> writes both anew.
/// </summary>
public class RunFileDocumentTests
{
    private const string Begin = "<!-- options: written by RunFileDocumentTests -->\n", End = "<!-- end of options -->\n";

    private static readonly JsonSerializerOptions Indented = new()
    {
        WriteIndented = true,
        NewLine = "\n",
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    [Fact]
    public void The_committed_schema_is_the_table_s() =>
        AssertIsCommitted("docs/run-file.schema.json", RunFileOptions.Table.Schema().ToJsonString(Indented) + "\n");

    [Fact]
    public void The_committed_reference_is_the_table_s()
    {
        string page = File.ReadAllText(Path.Combine(Repository.Root, "docs/run-file.md"));
        int begin = page.IndexOf(Begin, StringComparison.Ordinal), end = page.IndexOf(End, StringComparison.Ordinal);
        Assert.True(begin >= 0 && end > begin, "docs/run-file.md has no place for the options");
        AssertIsCommitted("docs/run-file.md", page[..(begin + Begin.Length)] + Reference() + page[end..]);
    }

    [Fact]
    public void The_schema_refuses_unknown_keys_and_both_lengths_of_training_and_knows_ranges()
    {
        JsonObject schema = RunFileOptions.Table.Schema();
        Assert.False((bool)schema["additionalProperties"]!);
        JsonNode training = schema["properties"]!["training"]!;
        Assert.False((bool)training["additionalProperties"]!);
        Assert.Equal("""{"required":["steps","epochs"]}""", training["not"]!.ToJsonString());
        Assert.Equal("""{"description":"Share of entries kept at the start (Eq. 4).","default":0.95,"type":"number","exclusiveMinimum":0,"maximum":1}""",
            schema["properties"]!["exchange"]!["properties"]!["k_max"]!.ToJsonString());
    }

    [Fact]
    public void Every_default_is_a_value_that_the_option_itself_accepts()
    {
        foreach (OptionDefinition option in RunFileOptions.Table.Options.Where(option => option.Default is not null))
        {
            string text = option.Default is string[] list ? $"[{string.Join(", ", list)}]" : OptionValues.Shown(option.Default!);
            object? read = option.Type.Read(YamlText.ReadValue(option.Path, text));
            Assert.True(read is not null && OptionValues.Shown(read) == OptionValues.Shown(option.Default!), $"{option.Path}: {text}");
        }
    }

    [Theory]
    [InlineData("samples/quickstart.yaml", "quickstart", 20)]
    [InlineData("samples/dolly.yaml", "dolly", 100)]
    public void The_samples_are_run_files(string sample, string name, int clients)
    {
        RunFile run = RunFile.Read(Path.Combine(Repository.Root, sample), []);
        Assert.Equal((name, clients, 10, 5), (run.Name, run.Federation.Clients, run.Federation.Participants, run.Exchange.Segments));
    }

    private static string Reference()
    {
        var text = new StringBuilder();
        foreach (OptionSection section in RunFileOptions.Table.Sections)
        {
            text.Append(section.Key.Length == 0 ? $"\n### At the top\n\n{section.Description}\n\n" : $"\n### `{section.Key}`\n\n{section.Description}\n\n");
            text.Append("| key | values | default | meaning |\n|---|---|---|---|\n");
            foreach (OptionDefinition option in RunFileOptions.Table.Options.Where(option => option.Section == section.Key))
            {
                string preset = option.Default is null ? "" : $"`{OptionValues.Shown(option.Default)}`";
                text.Append($"| `{option.Key}` | {option.Type.Expected} | {preset} | {option.Description} |\n");
            }
        }
        AppendPresets(text, RunFileOptions.Table.Presets!);
        return text.Append('\n').ToString();
    }

    private static void AppendPresets(StringBuilder text, OptionPresets presets)
    {
        text.Append("\n### Presets\n\nWhat each `exchange.preset` says where it differs from the defaults above. The names also stand in `baselines`.\n\n");
        text.Append("| preset | what it is | values |\n|---|---|---|\n");
        foreach (ExchangePreset preset in ExchangePreset.All)
        {
            IEnumerable<string> values = presets.Values[preset.Name]
                .Where(value => !Equals(value.Value, RunFileOptions.Table.Find(value.Key)!.Default))
                .Select(value => $"`{value.Key["exchange.".Length..]}: {OptionValues.Shown(value.Value)}`");
            text.Append($"| `{preset.Name}` | {preset.Description} | {string.Join(", ", values)} |\n");
        }
    }

    private static void AssertIsCommitted(string path, string expected)
    {
        string file = Path.Combine(Repository.Root, path);
        if (Environment.GetEnvironmentVariable("ECOLORA_WRITE_DOCS") == "1") File.WriteAllText(file, expected);
        Assert.True(File.Exists(file) && File.ReadAllText(file) == expected,
            $"{path} is not what the option table says; write it anew with ECOLORA_WRITE_DOCS=1");
    }
}
