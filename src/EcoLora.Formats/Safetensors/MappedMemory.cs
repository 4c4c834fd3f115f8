using System.Buffers;
using System.Runtime.InteropServices;

namespace EcoLora.Formats.Safetensors;

/// <summary>
/// A tensor's entries in a mapped file, as memory that an object can hold. It keeps the mapping reachable, which unmaps itself when it is collected. Whoever
/// uses its span must keep the memory reachable meanwhile.
/// </summary>
internal sealed unsafe class MappedMemory<T>(SafeHandle mapping, byte* start, int length) : MemoryManager<T>
    where T : unmanaged
{
    private readonly SafeHandle _mapping = mapping;
    private readonly T* _start = (T*)start;

    public override Span<T> GetSpan()
    {
        ObjectDisposedException.ThrowIf(_mapping.IsClosed, this);
        return new Span<T>(_start, length);
    }

    /// <summary>Mapped memory does not move: nothing to hold on to.</summary>
    public override MemoryHandle Pin(int elementIndex = 0)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)elementIndex, (uint)length);
        return new MemoryHandle(_start + elementIndex, pinnable: this);
    }

    public override void Unpin()
    {
    }

    protected override void Dispose(bool disposing)
    {
    }
}
