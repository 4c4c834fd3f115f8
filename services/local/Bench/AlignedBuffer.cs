using System.Buffers;
using System.Runtime.InteropServices;

namespace EcoLora.Local.Bench;

/// <summary>Native memory that starts at a multiple of 64 bytes and whose pages have been touched, so that nothing is first met inside a timing.</summary>
internal sealed unsafe class AlignedBuffer<T> : MemoryManager<T>
    where T : unmanaged
{
    private const int Alignment = 64;

    private T* _start;

    /// <summary>Allocates zeros.</summary>
    /// <param name="length">Number of entries.</param>
    public AlignedBuffer(int length)
    {
        Length = length;
        nuint bytes = Math.Max((nuint)length * (nuint)sizeof(T), 1);
        _start = (T*)NativeMemory.AlignedAlloc(bytes, Alignment);
        NativeMemory.Clear(_start, bytes);
    }

    /// <summary>Number of entries.</summary>
    public int Length { get; }

    /// <summary>The entries.</summary>
    public Span<T> Span => GetSpan();

    /// <inheritdoc/>
    public override Span<T> GetSpan()
    {
        ObjectDisposedException.ThrowIf(_start is null, this);
        return new Span<T>(_start, Length);
    }

    /// <inheritdoc/>
    public override MemoryHandle Pin(int elementIndex = 0) => new(_start + elementIndex);

    /// <inheritdoc/>
    public override void Unpin()
    {
        // Native memory does not move.
    }

    /// <summary>Frees the memory.</summary>
    public void Free() => ((IDisposable)this).Dispose();

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        NativeMemory.AlignedFree(_start);
        _start = null;
    }
}
