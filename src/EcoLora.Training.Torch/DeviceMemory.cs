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
        long free = device.type == DeviceType.CUDA ? OfCuda() : OfProcess();
        if (bytes > free) throw new ModelException(FormattableString.Invariant($"engine: expected {bytes / 1e6:f0} MB free on {device} for {what}, found {free / 1e6:f0} MB"));
    }

    private static long OfProcess()
    {
        GCMemoryInfo memory = GC.GetGCMemoryInfo();
        return Math.Max(0, memory.TotalAvailableMemoryBytes - Environment.WorkingSet);
    }

    /// <summary>Free memory of the first device by NVIDIA's management library, which comes with the driver. What libtorch keeps for itself is not in it, so what it has freed counts as used.</summary>
    private static long OfCuda()
    {
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
