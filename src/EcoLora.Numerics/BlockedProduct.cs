using System.Numerics;
using System.Runtime.CompilerServices;

namespace EcoLora.Numerics;

/// <summary>
/// C (+)= A·B by tiles that stay in registers. B is cut into panels of a tile's width and packed (panel by panel, k-contiguous rows of that width), so that
/// the inner loop reads it in order; A is read in place by broadcasts. One block of B is at most 320 × 512 entries (fits the second-level cache), one panel
/// fits the first. The habit is that of BLIS and of GotoBLAS (Goto and van de Geijn, 2008).
/// </summary>
internal readonly unsafe ref struct BlockedProduct<T>
    where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    /// <summary>Most entries of k that one pass over C sums.</summary>
    private const int BlockK = 320;
    private const int BlockN = 512;

    /// <summary>Rows of A that are reused from the second-level cache against every panel.</summary>
    private const int BlockM = 128;

    [ThreadStatic] private static T[]? _packed;

    private readonly int _m, _n, _k;
    private readonly T* _a, _b, _c;
    private readonly ushort* _narrow;
    private readonly WeightFormat _format;
    private readonly nint _aRow, _aColumn, _bRow, _bColumn, _cRow;

    public BlockedProduct(
        int m, int n, int k, T* a, nint aRow, nint aColumn, T* b, ushort* narrow, WeightFormat format, nint bRow, nint bColumn, T* c, nint cRow)
    {
        (_m, _n, _k) = (m, n, k);
        _a = a;
        _b = b;
        _c = c;
        _narrow = narrow;
        _format = format;
        (_aRow, _aColumn, _bRow, _bColumn, _cRow) = (aRow, aColumn, bRow, bColumn, cRow);
    }

    /// <summary>Computes the product with tiles of <paramref name="rowsPerTile"/> × two vectors.</summary>
    public void Run<TLanes>(int rowsPerTile, bool accumulate)
        where TLanes : struct, ILanes<TLanes, T>
    {
        int panelWidth = 2 * TLanes.Count;
        // Packing pays when several row tiles read the panel again, and is needed when B's rows are not contiguous or must be widened.
        bool pack = _bColumn != 1 || _format != WeightFormat.Full || _m > 4 * rowsPerTile;
        T* packed = pack ? Scratch() : null;
        // A block of columns of C stays in the second-level cache while k runs over it.
        int blockK = BlockOf(_k);
        for (int n0 = 0; n0 < _n; n0 += BlockN)
        {
            int nc = Math.Min(BlockN, _n - n0);
            for (int k0 = 0; k0 < _k; k0 += blockK)
            {
                int kc = Math.Min(blockK, _k - k0);
                bool add = accumulate || k0 > 0;
                if (pack)
                {
                    int done = PackNarrowRows(k0, kc, n0, nc / panelWidth * panelWidth, panelWidth, packed);
                    for (int j = done; j < nc; j += panelWidth) Pack<TLanes>(k0, kc, n0 + j, Math.Min(panelWidth, nc - j), packed + (nint)j * kc);
                }
                for (int m0 = 0; m0 < _m; m0 += BlockM)
                {
                    int mEnd = Math.Min(_m, m0 + BlockM);
                    for (int j = 0; j < nc; j += panelWidth)
                    {
                        int width = Math.Min(panelWidth, nc - j);
                        bool direct = !pack && width == panelWidth;
                        if (!pack && !direct) Pack<TLanes>(k0, kc, n0 + j, width, packed = Scratch());
                        T* panel = direct ? _b + (nint)k0 * _bRow + n0 + j : pack ? packed + (nint)j * kc : packed;
                        RunPanel<TLanes>(rowsPerTile, m0, mEnd, k0, kc, n0 + j, width, panel, direct ? _bRow : PackedWidth<TLanes>(width), add);
                    }
                }
            }
        }
    }

    /// <summary>Entries of k that one pass over C sums: equal parts of at most <see cref="BlockK"/>. Depends on k alone, since it decides the rounding.</summary>
    private static int BlockOf(int k)
    {
        int passes = (k + BlockK - 1) / BlockK;
        return ((k + passes - 1) / passes + 7) & ~7;
    }

    /// <summary>All row tiles of one block of rows against one panel.</summary>
    [SkipLocalsInit]
    private void RunPanel<TLanes>(int rowsPerTile, int m0, int mEnd, int k0, int kc, int column, int width, T* panel, nint panelRow, bool add)
        where TLanes : struct, ILanes<TLanes, T>
    {
        int packedWidth = PackedWidth<TLanes>(width);
        // A narrow tile uses at most 8 + 2 registers, so it can have 8 rows on every path.
        int step = packedWidth == 2 * TLanes.Count ? rowsPerTile : 8;
        T* edge = stackalloc T[8 * 32];
        for (int i = m0; i < mEnd; i += step)
        {
            int rows = Math.Min(step, mEnd - i);
            T* a = _a + i * _aRow + k0 * _aColumn;
            T* c = _c + i * _cRow + column;
            bool whole = rows == step && width == packedWidth;
            T* target = whole ? c : edge;
            nint targetRow = whole ? _cRow : packedWidth;
            bool addInTile = whole && add;
            bool wide = packedWidth == 2 * TLanes.Count;
            if (wide && step == 8) ProductTile.Wide8<TLanes, T>(kc, rows, a, _aRow, _aColumn, panel, panelRow, target, targetRow, addInTile);
            else if (wide) ProductTile.Wide4<TLanes, T>(kc, rows, a, _aRow, _aColumn, panel, panelRow, target, targetRow, addInTile);
            else if (packedWidth == TLanes.Count) ProductTile.Narrow8<TLanes, T>(kc, rows, a, _aRow, _aColumn, panel, panelRow, target, targetRow, addInTile);
            else ProductTile.Narrow8<Lanes256<T>, T>(kc, rows, a, _aRow, _aColumn, panel, panelRow, target, targetRow, addInTile);
            if (!whole) CopyEdge(edge, packedWidth, c, rows, width, add);
        }
    }

    private void CopyEdge(T* edge, int edgeRow, T* c, int rows, int width, bool add)
    {
        for (int r = 0; r < rows; r++, edge += edgeRow, c += _cRow)
        {
            for (int j = 0; j < width; j++) c[j] = add ? c[j] + edge[j] : edge[j];
        }
    }

    /// <summary>The tile width that holds <paramref name="width"/> columns: two vectors, one, or one of 256 bits.</summary>
    private static int PackedWidth<TLanes>(int width)
        where TLanes : struct, ILanes<TLanes, T>
        => width <= Lanes256<T>.Count ? Lanes256<T>.Count : width <= TLanes.Count ? TLanes.Count : 2 * TLanes.Count;

    /// <summary>
    /// Packs all whole panels of a block of narrow rows at once, row by row, so that the weights are read from memory in order. Returns the columns it did.
    /// </summary>
    private int PackNarrowRows(int k0, int kc, int column, int columns, int panelWidth, T* destination)
    {
        if (_format == WeightFormat.Full || _bColumn != 1 || typeof(T) != typeof(float)) return 0;
        ushort* source = _narrow + k0 * _bRow + column;
        if (_format == WeightFormat.Half) PanelPacking.Widen<HalfLoader>(source, _bRow, kc, columns, (float*)destination, panelWidth);
        else PanelPacking.Widen<BrainLoader>(source, _bRow, kc, columns, (float*)destination, panelWidth);
        return columns;
    }

    /// <summary>Copies B[k0.., column..] to rows of the tile's width, widened, padded with zeros.</summary>
    private void Pack<TLanes>(int k0, int kc, int column, int width, T* destination)
        where TLanes : struct, ILanes<TLanes, T>
    {
        int packedWidth = PackedWidth<TLanes>(width);
        if (width == packedWidth && PackNarrowRows(k0, kc, column, width, width, destination) == width) return;
        nint start = k0 * _bRow + column * _bColumn;
        if (_bColumn == 1) PackRows<TLanes>(start, kc, width, packedWidth, destination);
        else PackColumns(start, kc, width, packedWidth, destination);
    }

    private void PackRows<TLanes>(nint start, int kc, int width, int packedWidth, T* destination)
        where TLanes : struct, ILanes<TLanes, T>
    {
        bool whole = width == packedWidth && packedWidth == 2 * TLanes.Count && _format == WeightFormat.Full;
        for (int k = 0; k < kc; k++, start += _bRow, destination += packedWidth)
        {
            if (whole)
            {
                TLanes.Load(_b + start).Store(destination);
                TLanes.Load(_b + start + TLanes.Count).Store(destination + TLanes.Count);
                continue;
            }
            if (_format == WeightFormat.Full) new ReadOnlySpan<T>(_b + start, width).CopyTo(new Span<T>(destination, width));
            else WeightConversion.Widen(new ReadOnlySpan<ushort>(_narrow + start, width), _format, new Span<T>(destination, width));
            new Span<T>(destination + width, packedWidth - width).Clear();
        }
    }

    private void PackColumns(nint start, int kc, int width, int packedWidth, T* destination)
    {
        (int columns, int rows) = (0, 0);
        if (typeof(T) == typeof(float) && _bRow == 1 && PanelPacking.IsSupported)
        {
            (columns, rows) = _format switch
            {
                WeightFormat.Full => PanelPacking.Transpose<FullLoader>(_b + start, _bColumn, kc, width, (float*)destination, packedWidth),
                WeightFormat.Half => PanelPacking.Transpose<HalfLoader>(_narrow + start, _bColumn, kc, width, (float*)destination, packedWidth),
                _ => PanelPacking.Transpose<BrainLoader>(_narrow + start, _bColumn, kc, width, (float*)destination, packedWidth),
            };
        }
        for (int j = 0; j < packedWidth; j++)
        {
            for (int k = j < columns ? rows : 0; k < kc; k++)
                destination[k * packedWidth + j] = j < width ? Entry(start + j * _bColumn + k * _bRow) : T.Zero;
        }
    }

    private T Entry(nint index) => _format == WeightFormat.Full ? _b[index] : T.CreateTruncating(WeightConversion.One(_narrow[index], _format));

    /// <summary>This thread's packing buffer, on a 64-byte boundary. Kept for the thread's life: no allocation in the steady state.</summary>
    private static T* Scratch()
    {
        T[] buffer = _packed ??= GC.AllocateUninitializedArray<T>(BlockK * BlockN + 64, pinned: true);
        nint address = (nint)Unsafe.AsPointer(ref buffer[0]);
        return (T*)((address + 63) & ~63);
    }
}
