using System.Text;
using System.Text.Json.Nodes;
using EcoLora.Codec;
using EcoLora.Federation;
using EcoLora.Formats.Peft;
using EcoLora.Messaging;

namespace EcoLora.Hosting;

/// <summary>Between the LoRA vector and PEFT's adapter folders.</summary>
public static class AdapterExport
{
    /// <summary>Folder of the stacked adapter, and file of what the exports of a change of the base come to.</summary>
    public const string Stacked = "stacked", Figures = "exports.json";

    private const string Adapter = "adapter";

    /// <summary>
    /// Writes what a run comes to into its output folder: <c>adapter/</c>; where the method merges into the base, that is the nearest adapter of rank <c>lora.rank</c>, with
    /// <c>stacked/</c> beside it, which has all of the change, and <c>exports.json</c> with their figures.
    /// </summary>
    /// <param name="folder">The output folder.</param>
    /// <param name="plan">The run.</param>
    /// <param name="file">Its run file.</param>
    /// <param name="outcome">The whole adapter, or the change of the base.</param>
    /// <param name="chain">The published chain.</param>
    public static void Write(DurableFolder folder, RunPlan plan, RunFile file, float[] outcome, IEnumerable<byte[]> chain)
    {
        if (!plan.FederatedMethod.MergesIntoBase)
        {
            ToPeft(plan.AdapterLayout(), outcome, file.Lora, file.Model!).Write(folder.FileAt(Adapter));
            return;
        }
        var export = new BaseChangeExport(plan, file.Lora, file.Model!);
        (PeftAdapter stacked, int whole) = export.Stacked(outcome, chain);
        stacked.Write(folder.FileAt(Stacked));
        (PeftAdapter truncated, double kept) = export.Truncated(outcome);
        truncated.Write(folder.FileAt(Adapter));
        var figures = new JsonObject
        {
            ["adapter"] = new JsonObject { ["rank"] = truncated.Modules.Max(module => module.Rank), ["keptShare"] = kept },
            ["stacked"] = new JsonObject { ["rank"] = stacked.Modules.Max(module => module.Rank), ["modules"] = stacked.Modules.Count, ["wholeModules"] = whole },
        };
        folder.Write(Figures, Encoding.UTF8.GetBytes(figures.ToJsonString() + "\n"));
    }

    /// <summary>What <see cref="Write"/> has written into a folder, by name.</summary>
    /// <param name="folder">The output folder's path; it may be absent.</param>
    public static IReadOnlyList<ExportedFile> Files(string folder)
    {
        return [.. In(Adapter + "/", "*"), .. In(Stacked + "/", "*"), .. In("", Figures)];

        IEnumerable<ExportedFile> In(string part, string pattern) => new DirectoryInfo(Path.Combine(folder, part)) is { Exists: true } there
            ? there.EnumerateFiles(pattern).OrderBy(file => file.Name, StringComparer.Ordinal).Select(file => new ExportedFile(part + file.Name, file.Length))
            : [];
    }

    /// <summary>
    /// A whole adapter vector as PEFT modules, with the α and the kind of scale that it was trained with; a frozen A is in it too, since other programs need
    /// both.
    /// </summary>
    /// <param name="layout">Layout of the whole adapter, all of the section's rank.</param>
    /// <param name="adapter">The vector.</param>
    /// <param name="lora">The run file's section <c>lora</c>.</param>
    /// <param name="baseModel">The base model: a name, or a folder, of which only the name is recorded.</param>
    public static PeftAdapter ToPeft(LoraLayout layout, ReadOnlySpan<float> adapter, LoraOptions lora, string baseModel)
    {
        var modules = new List<PeftModule>();
        for (int i = 0; i < layout.Tensors.Count; i += 2)
        {
            LoraTensor a = layout.Tensors[i], b = layout.Tensors[i + 1];
            modules.Add(new PeftModule(a.Module, a.Rows, lora.Alpha, a.Columns, b.Rows, a.In(adapter).ToArray(), b.In(adapter).ToArray()));
        }
        return new PeftAdapter(Path.GetFileName(Path.TrimEndingDirectorySeparator(baseModel)), modules, lora.Dropout, lora.Rslora);
    }
}
