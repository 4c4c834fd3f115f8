using System.Globalization;
using System.Runtime.InteropServices;
using TorchSharp;
using static TorchSharp.torch;

namespace EcoLora.Training.Torch;

/// <summary>What a device has left, checked before libtorch is asked for more: on some of its paths running out ends the process.</summary>
internal static partial class DeviceMemory
{
    /// <summary>Refuses what cannot fit.</summary>
    /// <param name="device">The device.</param>
    /// <param name="bytes">Bytes that are needed at least.</param>
    /// <param name="what">For what.</param>
    /// <exception cref="ModelException">There is less.</exception>
    public static void Expect(Device device, long bytes, string what)
    {
        if (bytes <= Free(device)) return;
        // Models that nobody has any more are there until they are collected.
        GC.Collect();
        GC.WaitForPendingFinalizers();
        long free = Free(device);
        if (bytes > free) throw new ModelException(FormattableString.Invariant($"engine: expected {bytes / 1e6:f0} MB free on {device} for {what}, found {free / 1e6:f0} MB"));
    }

    private static long Free(Device device) => device.type == DeviceType.CUDA ? OfCuda() : OfProcess();

    /// <summary>What the process may have, less what it has; pages of mapped files are the kernel's to take back.</summary>
    private static long OfProcess()
    {
        const string status = "/proc/self/status", anonymous = "RssAnon:";
        string? line = File.Exists(status) ? File.ReadLines(status).FirstOrDefault(each => each.StartsWith(anonymous, StringComparison.Ordinal)) : null;
        long used = line is null ? Environment.WorkingSet : 1024 * long.Parse(line[anonymous.Length..].Replace("kB", "", StringComparison.Ordinal), CultureInfo.InvariantCulture);
        return Math.Max(0, GC.GetGCMemoryInfo().TotalAvailableMemoryBytes - used);
    }

    /// <summary>Free memory of the first device by NVIDIA's management library, which comes with the driver. What libtorch keeps for itself is not in it, so what it has freed counts as used.</summary>
    private static long OfCuda()
    {
        // Its library numbers the devices otherwise than CUDA where some are hidden.
        if (Environment.GetEnvironmentVariable("CUDA_VISIBLE_DEVICES") is { Length: > 0 }) return long.MaxValue;
        try
        {
            return Initialize() == 0 && Handle(0, out nint handle) == 0 && MemoryOf(handle, out Memory memory) == 0 ? (long)memory.Free : long.MaxValue;
        }
        catch (DllNotFoundException)
        {
            return long.MaxValue;
        }
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct Memory
    {
        public ulong Total, Free, Used;
    }

    [LibraryImport("libnvidia-ml.so.1", EntryPoint = "nvmlInit_v2")]
    private static partial int Initialize();

    [LibraryImport("libnvidia-ml.so.1", EntryPoint = "nvmlDeviceGetHandleByIndex_v2")]
    private static partial int Handle(uint index, out nint handle);

    [LibraryImport("libnvidia-ml.so.1", EntryPoint = "nvmlDeviceGetMemoryInfo")]
    private static partial int MemoryOf(nint handle, out Memory memory);
}
