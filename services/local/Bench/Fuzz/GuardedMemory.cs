using System.Buffers;
using System.Runtime.InteropServices;

namespace EcoLora.Local.Bench;

/// <summary>
/// Native memory with a page behind it that may not be touched, so that what goes beyond its end is met at once; on Linux only. It may show a file: what was
/// written is in the file even when the process dies.
/// </summary>
internal sealed unsafe class GuardedMemory : MemoryManager<byte>
{
    private const int None = 0, ReadWrite = 3, Shared = 1, Private = 2, Fixed = 16, Anonymous = 32;

    private readonly int _length;
    private byte* _start;

    /// <summary>Takes memory.</summary>
    /// <param name="bytes">At least so many.</param>
    /// <param name="file">Path of a file that it shows, or null.</param>
    /// <exception cref="IOException">There is no such memory.</exception>
    public GuardedMemory(int bytes, string? file = null)
    {
        int page = Environment.SystemPageSize;
        _length = (bytes + page - 1) / page * page;
        if (!OperatingSystem.IsLinux())
        {
            _start = (byte*)NativeMemory.AllocZeroed((nuint)_length);
            return;
        }
        _start = Map(null, _length + page, None, Private | Anonymous, -1);
        if (file is null)
        {
            Map(_start, _length, ReadWrite, Private | Anonymous | Fixed, -1);
            return;
        }
        using var stream = new FileStream(file, FileMode.Create, FileAccess.ReadWrite);
        stream.SetLength(_length);
        Map(_start, _length, ReadWrite, Shared | Fixed, (int)stream.SafeFileHandle.DangerousGetHandle());
    }

    /// <summary>Address of the page that may not be touched.</summary>
    public nint End => (nint)(_start + _length);

    /// <summary>The last bytes before the guarded page.</summary>
    public Memory<byte> Last(int bytes) => Memory[(_length - bytes)..];

    /// <summary>The last entries before the guarded page.</summary>
    public Span<T> Last<T>(int count)
        where T : unmanaged => MemoryMarshal.Cast<byte, T>(GetSpan()[(_length - count * sizeof(T))..]);

    /// <inheritdoc/>
    public override Span<byte> GetSpan()
    {
        ObjectDisposedException.ThrowIf(_start is null, this);
        return new Span<byte>(_start, _length);
    }

    /// <inheritdoc/>
    public override MemoryHandle Pin(int elementIndex = 0) => new(_start + elementIndex);

    /// <inheritdoc/>
    public override void Unpin()
    {
        // Native memory does not move.
    }

    /// <summary>Gives the memory back.</summary>
    public void Free() => ((IDisposable)this).Dispose();

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (_start is null) return;
        if (OperatingSystem.IsLinux()) _ = LibC.Unmap(_start, (nuint)(_length + Environment.SystemPageSize));
        else NativeMemory.Free(_start);
        _start = null;
    }

    private static byte* Map(byte* at, int bytes, int protection, int flags, int file)
    {
        byte* start = LibC.Map(at, (nuint)bytes, protection, flags, file, 0);
        return start != (byte*)-1 ? start : throw new IOException($"mmap of {bytes} bytes failed, error {Marshal.GetLastPInvokeError()}");
    }

    private static class LibC
    {
        [DllImport("libc", EntryPoint = "mmap", SetLastError = true)]
        public static extern byte* Map(byte* at, nuint bytes, int protection, int flags, int file, nint offset);

        [DllImport("libc", EntryPoint = "munmap")]
        public static extern int Unmap(byte* at, nuint bytes);
    }
}
