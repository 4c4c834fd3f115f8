using System.Runtime.CompilerServices;

namespace EcoLora.Codec;

/// <summary>Memory that does not move, aligned to a cache line, with <see cref="Slack"/> bytes on either side that vectors may read and write.</summary>
internal sealed unsafe class PinnedBuffer
{
    /// <summary>Bytes before the start and after the end that kernels may touch.</summary>
    public const int Slack = 256;

    private byte[] _array = [];

    /// <summary>Makes a buffer of at least the given number of bytes.</summary>
    public PinnedBuffer(int bytes = 0) => Reserve(bytes);

    /// <summary>First byte; a multiple of 64.</summary>
    public byte* Pointer { get; private set; }

    /// <summary>Bytes between the slacks.</summary>
    public int Length { get; private set; }

    /// <summary>Makes room for at least <paramref name="bytes"/>; the content is lost when it has to grow.</summary>
    /// <returns>The first byte.</returns>
    public byte* Reserve(long bytes)
    {
        if (bytes <= Length && Pointer != null) return Pointer;
        // With some room to grow, so that work of varying size soon stops allocating.
        int length = checked((int)((bytes + bytes / 8 + 4095) & ~4095L));
        _array = GC.AllocateUninitializedArray<byte>(checked(length + 2 * Slack + 64), pinned: true);
        byte* start = (byte*)Unsafe.AsPointer(ref _array[0]) + Slack;
        Pointer = (byte*)(((nuint)start + 63) & ~(nuint)63);
        Length = length;
        return Pointer;
    }
}
