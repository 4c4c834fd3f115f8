namespace EcoLora.Codec;

/// <summary>
/// The entries of one role inside a segment: its pieces one after the other, counted from 0. Set again and again; it allocates only while it grows.
/// </summary>
internal sealed class SectionEntries
{
    private SegmentPiece[] _pieces = [];
    private int[] _first = [];
    private int _count;

    /// <summary>Number of entries.</summary>
    public int Count { get; private set; }

    /// <summary>Number of blocks of 1024 entries, the last one perhaps shorter.</summary>
    public int Blocks => (Count + Planes.Block - 1) / Planes.Block;

    /// <summary>The pieces in order.</summary>
    public ReadOnlySpan<SegmentPiece> Pieces => _pieces.AsSpan(0, _count);

    /// <summary>Takes the pieces of a role inside a segment.</summary>
    public void Set(LoraLayout layout, SegmentRange range, LoraRole role)
    {
        if (_pieces.Length < layout.Tensors.Count) (_pieces, _first) = (new SegmentPiece[layout.Tensors.Count], new int[layout.Tensors.Count]);
        (_count, Count) = (0, 0);
        for (int i = 0; i < layout.Tensors.Count; i++)
        {
            LoraTensor tensor = layout.Tensors[i];
            int start = Math.Max(tensor.Offset, range.Start), end = Math.Min(tensor.End, range.End);
            if (tensor.Role != role || start >= end) continue;
            (_first[_count], _pieces[_count++]) = (Count, new SegmentPiece(tensor, start - range.Start, end - start));
            Count += end - start;
        }
    }

    /// <summary>A walk over the entries from the given one on.</summary>
    public Cursor From(int entry)
    {
        int piece = Array.BinarySearch(_first, 0, _count, entry);
        if (piece < 0) piece = ~piece - 1;
        return new Cursor(this, piece, entry - _first[piece]);
    }

    /// <summary>A place among the entries.</summary>
    public struct Cursor(SectionEntries entries, int piece, int offset)
    {
        private int _piece = piece, _offset = offset;

        /// <summary>The next entries that lie together in the segment, at most so many; at least one is left.</summary>
        /// <returns>The piece's number, the first entry's index in the segment, and their number.</returns>
        public (int Piece, int Start, int Length) Take(int most)
        {
            if (_offset == entries._pieces[_piece].Length) (_piece, _offset) = (_piece + 1, 0);
            ref readonly SegmentPiece piece = ref entries._pieces[_piece];
            int length = Math.Min(most, piece.Length - _offset);
            _offset += length;
            return (_piece, piece.Start + _offset - length, length);
        }
    }
}
