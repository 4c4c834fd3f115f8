using EcoLora.Numerics;

namespace EcoLora.Codec.Tests;

internal static class Paths
{
    /// <summary>The code paths that this machine has, the scalar one first.</summary>
    public static readonly SimdPath[] All = [.. Enum.GetValues<SimdPath>().Where(path => CodecPath.Resolve(path) == path)];
}
