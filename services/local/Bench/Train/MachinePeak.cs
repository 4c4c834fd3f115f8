using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace EcoLora.Local.Bench;

/// <summary>The roof of a kernel's speed: multiply-adds on registers alone, on every thread at once.</summary>
internal static class MachinePeak
{
    private const int Rounds = 1 << 16;
    private const int Accumulators = 12;

    /// <summary>GFLOP/s of binary32 multiply-adds; the best of some tenths of a second.</summary>
    public static double GigaFlops(int threads)
    {
        double best = 0;
        for (int attempt = 0; attempt < 5; attempt++)
        {
            using var together = new Barrier(threads);
            double[] rates = new double[threads];
            Thread[] workers = [.. Enumerable.Range(0, threads).Select(thread => new Thread(() => rates[thread] = Measure(together)))];
            foreach (Thread worker in workers) worker.Start();
            foreach (Thread worker in workers) worker.Join();
            best = Math.Max(best, rates.Sum());
        }
        return best;
    }

    private static double Measure(Barrier together)
    {
        bool wide = Vector512.IsHardwareAccelerated;
        double flops = 2.0 * (wide ? Vector512<float>.Count : Vector256<float>.Count) * Accumulators * Rounds;
        together.SignalAndWait();
        double best = 0;
        for (long start = Stopwatch.GetTimestamp(); Stopwatch.GetElapsedTime(start).TotalSeconds < 0.1;)
        {
            long call = Stopwatch.GetTimestamp();
            float used = wide ? Wide(1e-9f) : Narrow(1e-9f);
            double seconds = Stopwatch.GetElapsedTime(call).TotalSeconds;
            if (used > 0) best = Math.Max(best, flops / seconds / 1e9);
        }
        return best;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float Wide(float value)
    {
        Vector512<float> x = Vector512.Create(value), y = Vector512.Create(1 - value);
        Vector512<float> a = x, b = x, c = x, d = x, e = x, f = x, g = x, h = x, i = x, j = x, k = x, l = x;
        for (int round = 0; round < Rounds; round++)
        {
            a = Vector512.FusedMultiplyAdd(a, y, x);
            b = Vector512.FusedMultiplyAdd(b, y, x);
            c = Vector512.FusedMultiplyAdd(c, y, x);
            d = Vector512.FusedMultiplyAdd(d, y, x);
            e = Vector512.FusedMultiplyAdd(e, y, x);
            f = Vector512.FusedMultiplyAdd(f, y, x);
            g = Vector512.FusedMultiplyAdd(g, y, x);
            h = Vector512.FusedMultiplyAdd(h, y, x);
            i = Vector512.FusedMultiplyAdd(i, y, x);
            j = Vector512.FusedMultiplyAdd(j, y, x);
            k = Vector512.FusedMultiplyAdd(k, y, x);
            l = Vector512.FusedMultiplyAdd(l, y, x);
        }
        return Vector512.Sum(a + b + c + d + e + f + g + h + i + j + k + l);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float Narrow(float value)
    {
        Vector256<float> x = Vector256.Create(value), y = Vector256.Create(1 - value);
        Vector256<float> a = x, b = x, c = x, d = x, e = x, f = x, g = x, h = x, i = x, j = x, k = x, l = x;
        for (int round = 0; round < Rounds; round++)
        {
            a = Vector256.FusedMultiplyAdd(a, y, x);
            b = Vector256.FusedMultiplyAdd(b, y, x);
            c = Vector256.FusedMultiplyAdd(c, y, x);
            d = Vector256.FusedMultiplyAdd(d, y, x);
            e = Vector256.FusedMultiplyAdd(e, y, x);
            f = Vector256.FusedMultiplyAdd(f, y, x);
            g = Vector256.FusedMultiplyAdd(g, y, x);
            h = Vector256.FusedMultiplyAdd(h, y, x);
            i = Vector256.FusedMultiplyAdd(i, y, x);
            j = Vector256.FusedMultiplyAdd(j, y, x);
            k = Vector256.FusedMultiplyAdd(k, y, x);
            l = Vector256.FusedMultiplyAdd(l, y, x);
        }
        return Vector256.Sum(a + b + c + d + e + f + g + h + i + j + k + l);
    }
}
