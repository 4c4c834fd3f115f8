using EcoLora.Codec;
using EcoLora.Local.Runs;
using EcoLora.Numerics;
using EcoLora.Services.Codec;

namespace EcoLora.Local.Tests.Bench;

/// <summary>Updates as a run keeps them, of two modules, heavier in the tails of B.</summary>
internal static class MadeUpRun
{
    public static readonly LoraLayout Layout = LoraLayout.Of([new LoraModule("q_proj", 96, 64, 8), new LoraModule("v_proj", 48, 64, 8)]);

    /// <summary>One whole update per round.</summary>
    public static string KeepUpdates(string folder, int rounds)
    {
        Directory.CreateDirectory(folder);
        for (int round = 0; round < rounds; round++)
        {
            var random = new RandomStream(3, "made-up-run", round);
            float[] values = new float[Layout.Length];
            foreach (LoraTensor tensor in Layout.Tensors)
                foreach (ref float value in tensor.In(values.AsSpan()))
                    value = (float)(tensor.Role == LoraRole.A ? random.NextGaussian() : 0.01 * Math.Pow(random.NextGaussian(), 3));
            KeptUpdate.Write(folder, new AcceptedChange(round, 0, 0, 1, Layout, values));
        }
        return folder;
    }
}
