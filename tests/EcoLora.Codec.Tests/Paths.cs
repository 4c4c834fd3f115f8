using EcoLora.Numerics;

namespace EcoLora.Codec.Tests;

internal static class Paths
{
    /// <summary>The code paths that this machine has, the scalar one first.</summary>
    public static readonly SimdPath[] All =
        [.. ((SimdPath[])[SimdPath.Scalar, SimdPath.Vector128, SimdPath.Vector256, SimdPath.Vector512]).Select(CodecPath.Resolve).Distinct()];
}
