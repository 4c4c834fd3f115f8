namespace EcoLora.Local.Bench;

/// <summary>A frame that mutations begin with.</summary>
/// <param name="Layout">Number of its layout in <see cref="FuzzLayouts.All"/>.</param>
/// <param name="Bytes">The frame.</param>
internal sealed record BaseFrame(int Layout, byte[] Bytes)
{
    /// <summary>Where its fields begin, as far as they can be read.</summary>
    public int[] Marks { get; } = FrameOutline.MarksOf(Bytes);
}
