using EcoLora.Codec;

namespace EcoLora.Local.Bench;

/// <summary>A made-up or real change before sparsification.</summary>
/// <param name="Name">What the rows call it.</param>
/// <param name="Layout">Its tensors.</param>
/// <param name="Values">[layout], finite, in the range of binary16.</param>
internal sealed record DenseUpdate(string Name, LoraLayout Layout, float[] Values);
