using System.Buffers.Binary;
using System.IO.MemoryMappedFiles;
using System.Runtime.InteropServices;
using EcoLora.Formats.Json;
using EcoLora.Numerics;

namespace EcoLora.Formats.Safetensors;

/// <summary>
/// A safetensors file, memory-mapped: opening reads and checks the header, reading touches only the rows asked for. Numbers are little-endian on
/// disk and in memory. Reading from several threads at once is fine; a file must not be shortened by others while it is open.
/// </summary>
public sealed unsafe class SafetensorsFile : IDisposable
{
    private readonly MemoryMappedFile _map;
    private readonly MemoryMappedViewAccessor _view;
    private readonly Dictionary<string, TensorEntry> _byName = new(StringComparer.Ordinal);
    private byte* _bytes;
    private bool _isHeld;

    private SafetensorsFile(string path, MemoryMappedFile map, MemoryMappedViewAccessor view, long length)
    {
        (Path, _map, _view) = (path, map, view);
        try
        {
            _view.SafeMemoryMappedViewHandle.AcquirePointer(ref _bytes);
            _bytes += _view.PointerOffset;
            ulong headerLength = BinaryPrimitives.ReadUInt64LittleEndian(new ReadOnlySpan<byte>(_bytes, 8));
            if (headerLength > SafetensorsHeader.LongestHeader)
                throw new SafetensorsException($"{path}: expected a header of at most {SafetensorsHeader.LongestHeader} bytes, found {headerLength}");
            if ((long)headerLength > length - 8)
                throw new SafetensorsException($"{path}: expected a header of {headerLength} bytes, found the file cut off after {length - 8}");
            SafetensorsHeader header = SafetensorsHeader.Parse(new ReadOnlySpan<byte>(_bytes + 8, (int)headerLength), path, length);
            (Tensors, Metadata) = (header.Tensors, header.Metadata);
        }
        catch
        {
            Dispose();
            throw;
        }
        foreach (TensorEntry entry in Tensors) _byName.Add(entry.Name, entry);
    }

    /// <summary>Where the file lies, as given.</summary>
    public string Path { get; }

    /// <summary>The tensors in the order of their bytes.</summary>
    public IReadOnlyList<TensorEntry> Tensors { get; }

    /// <summary>The header's <c>__metadata__</c>; empty when absent.</summary>
    public IReadOnlyDictionary<string, string> Metadata { get; }

    /// <summary>Opens a file and checks its header.</summary>
    /// <exception cref="SafetensorsException">There is no such file, or its header or length breaks the format.</exception>
    /// <exception cref="IOException">The file cannot be opened.</exception>
    public static SafetensorsFile Open(string path)
    {
        if (!File.Exists(path)) throw new SafetensorsException($"{path}: expected a file, found none");
        using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read);
        long length = stream.Length;
        if (length < 8) throw new SafetensorsException($"{path}: expected at least 8 bytes, found {length}");
        MemoryMappedFile map = MemoryMappedFile.CreateFromFile(stream, null, 0, MemoryMappedFileAccess.Read, HandleInheritability.None, leaveOpen: true);
        try
        {
            return new SafetensorsFile(path, map, map.CreateViewAccessor(0, length, MemoryMappedFileAccess.Read), length);
        }
        catch
        {
            map.Dispose();
            throw;
        }
    }

    /// <summary>Whether a tensor of this name is there.</summary>
    public bool Contains(string name) => _byName.ContainsKey(name);

    /// <summary>A tensor's entry.</summary>
    /// <exception cref="SafetensorsException">There is none of that name.</exception>
    public TensorEntry this[string name] => _byName.TryGetValue(name, out TensorEntry? entry) ? entry
        : throw Refusal(name, "expected this tensor, found none of that name");

    /// <summary>
    /// A tensor's bytes without a copy. The span is valid until <see cref="Dispose"/>; using it afterwards reads unmapped memory.
    /// </summary>
    /// <exception cref="SafetensorsException">There is none of that name, or it is larger than 2,147,483,647 bytes.</exception>
    public ReadOnlySpan<byte> Bytes(string name)
    {
        ObjectDisposedException.ThrowIf(_bytes is null, this);
        TensorEntry entry = this[name];
        if (entry.ByteLength > int.MaxValue)
            throw Refusal(name, $"expected at most {int.MaxValue} bytes for one span, found {entry.ByteLength}: read it by rows");
        return new ReadOnlySpan<byte>(_bytes + entry.Offset, (int)entry.ByteLength);
    }

    /// <summary>Reads a whole tensor, row-major, as binary32. Exact for F32, F16 and BF16.</summary>
    /// <exception cref="SafetensorsException">No such tensor, another dtype, or another number of entries than <paramref name="destination"/>
    /// holds.</exception>
    public void Read(string name, Span<float> destination)
    {
        TensorEntry entry = this[name];
        long count = entry.ByteLength / SizeToRead(entry);
        if (count != destination.Length) throw Refusal(name, $"expected {destination.Length} entries, found {entry.ShapeText} = {count}");
        Convert(entry, 0, destination);
    }

    /// <summary>
    /// A whole tensor where it lies in the mapped file, in the format that it is stored in; nothing is read or copied. The memory stays valid after
    /// <see cref="Dispose"/>; the mapping ends when no memory of it is reachable any more.
    /// </summary>
    /// <exception cref="SafetensorsException">No such tensor, another dtype, or more than 2,147,483,647 entries.</exception>
    public WeightMemory<float> Map(string name)
    {
        ObjectDisposedException.ThrowIf(_bytes is null, this);
        TensorEntry entry = this[name];
        long count = entry.ByteLength / SizeToRead(entry);
        if (count > int.MaxValue) throw Refusal(name, $"expected at most {int.MaxValue} entries, found {entry.ShapeText} = {count}");
        _isHeld = true;
        SafeHandle mapping = _view.SafeMemoryMappedViewHandle;
        byte* start = _bytes + entry.Offset;
        if (entry.Type == "F32") return new(new MappedMemory<float>(mapping, start, (int)count).Memory);
        return new(new MappedMemory<ushort>(mapping, start, (int)count).Memory, entry.Type == "F16" ? WeightFormat.Half : WeightFormat.Brain);
    }

    /// <summary>Reads consecutive rows (slices of the first dimension) without touching the others.</summary>
    /// <param name="name">The tensor.</param>
    /// <param name="firstRow">Index of the first row.</param>
    /// <param name="rows">Number of rows.</param>
    /// <param name="destination">rows × (product of the other dimensions) entries, row-major.</param>
    /// <exception cref="SafetensorsException">No such tensor, another dtype, a row outside it, or another number of entries.</exception>
    public void ReadRows(string name, long firstRow, long rows, Span<float> destination)
    {
        TensorEntry entry = this[name];
        int size = SizeToRead(entry);
        long allRows = entry.Shape.Count == 0 ? 1 : entry.Shape[0];
        if (firstRow < 0 || rows < 0 || firstRow > allRows - rows)
            throw Refusal(name, $"expected rows {firstRow} to {firstRow} + {rows}, found {allRows} rows");
        long width = allRows == 0 ? 0 : entry.ByteLength / size / allRows;
        if (rows * width != destination.Length) throw Refusal(name, $"expected {destination.Length} entries, found {rows} rows × {width}");
        Convert(entry, firstRow * width * size, destination);
    }

    /// <summary>
    /// Unmaps the file, or leaves that to the collector where <see cref="Map"/> gave memory away. Spans from <see cref="Bytes"/> end here.
    /// </summary>
    public void Dispose()
    {
        if (_bytes is not null)
        {
            _bytes = null;
            _view.SafeMemoryMappedViewHandle.ReleasePointer();
        }
        if (!_isHeld) _view.Dispose();
        _map.Dispose();
    }

    /// <summary>Refuses a dtype that cannot be read; for any other, shape and length agree, so the length is a safe size to allocate.</summary>
    internal void CheckReadable(TensorEntry entry)
    {
        if (entry.Type is not ("F32" or "F16" or "BF16")) throw Refusal(entry.Name, $"expected dtype F32, F16 or BF16, found {PrintableText.Of(entry.Type)}");
    }

    private int SizeToRead(TensorEntry entry)
    {
        CheckReadable(entry);
        return TensorEntry.SizeOf(entry.Type);
    }

    private void Convert(TensorEntry entry, long start, Span<float> destination)
    {
        ObjectDisposedException.ThrowIf(_bytes is null, this);
        byte* source = _bytes + entry.Offset + start;
        // Chunks: the bytes of up to 2^31 floats do not fit one span. The format does not promise alignment; casts below do not need it.
        const int Chunk = 1 << 20;
        int size = TensorEntry.SizeOf(entry.Type);
        for (long done = 0; done < destination.Length; done += Chunk)
        {
            Span<float> part = destination.Slice((int)done, (int)Math.Min(Chunk, destination.Length - done));
            var bytes = new ReadOnlySpan<byte>(source + (done * size), part.Length * size);
            if (entry.Type == "F32") bytes.CopyTo(MemoryMarshal.AsBytes(part));
            else if (entry.Type == "F16") FloatConversion.WidenHalf(MemoryMarshal.Cast<byte, ushort>(bytes), part);
            else FloatConversion.WidenBrain(MemoryMarshal.Cast<byte, ushort>(bytes), part);
        }
    }

    private SafetensorsException Refusal(string name, string text) => new($"{Path}: tensor '{PrintableText.Of(name)}': {text}");
}
