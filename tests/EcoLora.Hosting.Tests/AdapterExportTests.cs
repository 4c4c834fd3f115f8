using EcoLora.Codec;
using EcoLora.Formats.Peft;
using EcoLora.Training;

namespace EcoLora.Hosting.Tests;

public class AdapterExportTests
{
    [Theory]
    [InlineData(false, 12.0 / 9)]
    [InlineData(true, 12.0 / 3)]
    public void An_adapter_is_exported_with_the_scale_it_was_trained_with(bool rslora, double scale)
    {
        var config = new LlamaConfig
        {
            HiddenSize = 4,
            IntermediateSize = 6,
            Layers = 2,
            Heads = 2,
            KeyValueHeads = 1,
            HeadSize = 2,
            Vocabulary = 8,
            MaxPositions = 16,
        };
        var section = new Hosting.LoraOptions { Rank = 9, Alpha = 12, Dropout = 0.25, Targets = ["v_proj", "down_proj"], Rslora = rslora };
        Training.LoraOptions options = OptionMap.LoraOf(section);
        LoraLayout layout = options.LayoutFor(config);
        float[] vector = [.. Enumerable.Range(0, layout.Length).Select(i => (float)i)];
        PeftAdapter adapter = AdapterExport.ToPeft(layout, vector, section, "models/base/");
        Assert.Equal(("base", 0.25, rslora, 4), (adapter.BaseModel, adapter.Dropout, adapter.UseRsLora, adapter.Modules.Count));
        Assert.Equal(scale, options.Scale);
        Assert.All(adapter.Modules, module => Assert.Equal((9, 12.0, scale), (module.Rank, module.Alpha, adapter.ScaleOf(module))));
        Assert.Equal(vector, adapter.Modules.SelectMany(module => module.A.Concat(module.B)));
    }
}
