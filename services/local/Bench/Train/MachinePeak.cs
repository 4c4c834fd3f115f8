using System.Diagnostics;
using System.Runtime.CompilerServices;
using EcoLora.Numerics;

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
        bool wide = Simd.Resolve(SimdPath.Fastest) == SimdPath.Vector512;
        double flops = 2.0 * (wide ? Lanes512<float>.Count : Lanes256<float>.Count) * Accumulators * Rounds;
        together.SignalAndWait();
        double best = 0;
        for (long start = Stopwatch.GetTimestamp(); Stopwatch.GetElapsedTime(start).TotalSeconds < 0.1;)
        {
            long call = Stopwatch.GetTimestamp();
            float used = wide ? Multiply<Lanes512<float>>(1e-9f) : Multiply<Lanes256<float>>(1e-9f);
            double seconds = Stopwatch.GetElapsedTime(call).TotalSeconds;
            if (used > 0) best = Math.Max(best, flops / seconds / 1e9);
        }
        return best;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float Multiply<TLanes>(float value)
        where TLanes : struct, ILanes<TLanes, float>
    {
        TLanes x = TLanes.Of(value), y = TLanes.Of(1 - value);
        TLanes a = x, b = x, c = x, d = x, e = x, f = x, g = x, h = x, i = x, j = x, k = x, l = x;
        for (int round = 0; round < Rounds; round++)
        {
            a = TLanes.MultiplyAdd(a, y, x);
            b = TLanes.MultiplyAdd(b, y, x);
            c = TLanes.MultiplyAdd(c, y, x);
            d = TLanes.MultiplyAdd(d, y, x);
            e = TLanes.MultiplyAdd(e, y, x);
            f = TLanes.MultiplyAdd(f, y, x);
            g = TLanes.MultiplyAdd(g, y, x);
            h = TLanes.MultiplyAdd(h, y, x);
            i = TLanes.MultiplyAdd(i, y, x);
            j = TLanes.MultiplyAdd(j, y, x);
            k = TLanes.MultiplyAdd(k, y, x);
            l = TLanes.MultiplyAdd(l, y, x);
        }
        return TLanes.Sum(a + b + c + d + e + f + g + h + i + j + k + l);
    }
}
