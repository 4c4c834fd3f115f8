using System.Buffers.Binary;
using System.IO.Compression;

namespace EcoLora.Formats.Data;

/// <summary>
/// The plain bytes of a data file, decompressed if it starts with gzip's magic bytes 1F 8B, without a UTF-8 byte order mark, and counted
/// against a limit. Compressed content is one gzip member. What is wrong with it becomes a <see cref="DataSetException"/>.
/// </summary>
internal sealed class ContentStream : IDisposable
{
    private const int SmallestGzipMember = 18;
    private readonly string _path;
    private readonly long _limit;
    private readonly FileStream _file;
    private readonly GZipStream? _gzip;
    private readonly byte[] _head = new byte[3];
    private int _headStart;
    private readonly int _headEnd;
    private long _produced;

    public ContentStream(string path, long limit)
    {
        _path = path;
        _limit = limit;
        _file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read);
        try
        {
            if (!_file.CanSeek) throw new DataSetException(path, "", "a file", "a pipe or device");
            if (IsCompressed()) _gzip = new GZipStream(_file, CompressionMode.Decompress, leaveOpen: true);
            while (_headEnd < _head.Length && ReadSource(_head.AsSpan(_headEnd)) is > 0 and var read) _headEnd += read;
            if (_headEnd == 3 && _head is [0xEF, 0xBB, 0xBF]) _headStart = 3;
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>No content has been read.</summary>
    public bool IsEmpty => _produced == 0;

    /// <summary>Fills some of the buffer; 0 only at the end, and only if the content was complete.</summary>
    public int Read(Span<byte> buffer)
    {
        if (_headStart == _headEnd) return ReadSource(buffer);
        int read = Math.Min(buffer.Length, _headEnd - _headStart);
        _head.AsSpan(_headStart, read).CopyTo(buffer);
        _headStart += read;
        return read;
    }

    public void Dispose()
    {
        _gzip?.Dispose();
        _file.Dispose();
    }

    private bool IsCompressed()
    {
        Span<byte> magic = stackalloc byte[2];
        int length = _file.ReadAtLeast(magic, magic.Length, throwOnEndOfStream: false);
        _file.Position = 0;
        bool compressed = length == 2 && magic is [0x1F, 0x8B];
        if (!compressed && length > 0 && _path.EndsWith(".gz", StringComparison.OrdinalIgnoreCase))
            throw new DataSetException(_path, "", "gzip's first bytes 1F 8B", Convert.ToHexString(magic[..length]));
        return compressed;
    }

    private int ReadSource(Span<byte> buffer)
    {
        int read;
        try
        {
            read = _gzip is null ? _file.Read(buffer) : _gzip.Read(buffer);
        }
        catch (InvalidDataException error)
        {
            throw new DataSetException(_path, $"after {_produced} bytes of content", "gzip data", "damaged data", error);
        }
        _produced += read;
        if (_produced > _limit) throw new DataSetException(_path, "", $"at most {_limit} bytes of content", "more");
        if (read == 0 && _gzip is not null) CheckLength();
        return read;
    }

    /// <summary>GZipStream ends without an error where the file is cut off, so the length in the trailer (RFC 1952: modulo 2^32) decides.</summary>
    private void CheckLength()
    {
        if (_file.Length < SmallestGzipMember) throw Truncated($"{_file.Length} bytes");
        Span<byte> trailer = stackalloc byte[4];
        _file.Position = _file.Length - trailer.Length;
        _file.ReadExactly(trailer);
        if (BinaryPrimitives.ReadUInt32LittleEndian(trailer) != (uint)_produced)
            throw Truncated($"a file cut off, or followed by other data, after {_produced} bytes of content");
    }

    private DataSetException Truncated(string found) => new(_path, "", "one complete gzip member", found);
}
