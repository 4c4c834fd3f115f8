using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;
using EcoLora.Numerics;

namespace EcoLora.Codec;

/// <summary>The code path of the codec's kernels. Every path gives the same bytes, values and errors.</summary>
internal static class CodecPath
{
    /// <summary>A path that this machine has: 512 bits need AVX-512 VBMI2 (byte permutes, compress and expand), 256 bits need AVX2.</summary>
    public static SimdPath Resolve(SimdPath path)
    {
        if (path is SimdPath.Fastest or SimdPath.Vector512 && Avx512Vbmi2.IsSupported && Avx512Vbmi.IsSupported) return SimdPath.Vector512;
        return path is not SimdPath.Scalar && Avx2.IsSupported ? SimdPath.Vector256 : SimdPath.Scalar;
    }
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
