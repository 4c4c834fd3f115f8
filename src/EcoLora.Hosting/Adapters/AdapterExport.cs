using EcoLora.Codec;
using EcoLora.Formats.Peft;

namespace EcoLora.Hosting;

/// <summary>Between the LoRA vector and PEFT's adapter folders.</summary>
public static class AdapterExport
{
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
