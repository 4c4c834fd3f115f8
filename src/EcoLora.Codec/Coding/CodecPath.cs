using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;
using EcoLora.Numerics;

namespace EcoLora.Codec;

/// <summary>The code path of the codec's kernels. Every path gives the same bytes, values and errors.</summary>
/// <remarks>
/// A kernel is written out for each width that pays: one source for all, over a type that wraps the vectors, made rounding 8% (256 bits) to 17% (512 bits)
/// slower, since the just-in-time compiler joins fewer operations across the wrappers.
/// </remarks>
internal static class CodecPath
{
    /// <summary>
    /// A path that this machine has: 512 bits need AVX-512 VBMI2 (byte permutes, compress and expand), 256 bits need AVX2, 128 bits SSE4.1 or Arm's AdvSIMD.
    /// </summary>
    public static SimdPath Resolve(SimdPath path) => path switch
    {
        SimdPath.Scalar => SimdPath.Scalar,
        SimdPath.Fastest or SimdPath.Vector512 when Avx512Vbmi2.IsSupported && Avx512Vbmi.IsSupported => SimdPath.Vector512,
        not SimdPath.Vector128 when Avx2.IsSupported => SimdPath.Vector256,
        _ => Vectors128.AreSupported ? SimdPath.Vector128 : SimdPath.Scalar,
    };
}

/// <summary>How the just-in-time compiler treats kernels.</summary>
internal static class Jit
{
    /// <summary>
    /// Optimised when it is first called, and by itself: inside of a caller that was optimised by its profile, a kernel's vectors do not fit the registers
    /// any more, which costs a third of the speed.
    /// </summary>
    public const MethodImplOptions Kernel = MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining;
}
