using System.Runtime.CompilerServices;

namespace EcoLora.Codec;

/// <summary>
/// Sorts the blocks of a chunk into at most 16 classes of like density, so that each class has its own tables: layers, rows and ranks of an adapter
/// change by different amounts, so one global threshold keeps different fractions of them. Starts from fixed ranges of density and joins neighbours while
/// that saves bits.
/// </summary>
internal sealed class DensityClasses
{
    /// <summary>Most classes of a chunk.</summary>
    public const int Maximum = 16;

    private const int Bins = 32;
    private const int Tokens = 256, Turns = 4;
    private const long Unknown = 64L * FixedLog2.One;

    /// <summary>Least sent entries, of 1024, of each range but the first: log-odds in steps of about ½.</summary>
    private static readonly short[] _edges =
        [1, 2, 3, 5, 8, 12, 18, 26, 38, 54, 76, 105, 142, 188, 242, 304, 372, 444, 512, 580, 652, 720, 782, 836, 882, 919, 948, 972, 990, 1004, 1016];

    private static readonly byte[] _binOf = BinTable();

    private readonly long[] _blocks = new long[Bins], _entries = new long[Bins], _sent = new long[Bins], _sampled = new long[Bins];
    private readonly int[] _tokens = new int[Bins * Tokens * Turns], _sums = new int[Bins * Tokens];
    private readonly int[] _classOf = new int[Bins];
    private int _tokenLimit;

    /// <summary>Number of classes that <see cref="Choose"/> settled on.</summary>
    public int Count { get; private set; }

    /// <summary>Forgets the chunk before.</summary>
    public void Clear()
    {
        Array.Clear(_blocks);
        Array.Clear(_entries);
        Array.Clear(_sent);
        Array.Clear(_sampled);
        _tokenLimit = 0;
    }

    /// <summary>Counts a block.</summary>
    /// <param name="entries">1 to 1024.</param>
    /// <param name="sent">How many of them are sent.</param>
    public void Add(int entries, int sent)
    {
        int bin = BinOf(entries, sent);
        _blocks[bin]++;
        _entries[bin] += entries;
        _sent[bin] += sent;
    }

    /// <summary>Counts the tokens of a sampled block.</summary>
    [MethodImpl(Jit.Kernel)]
    public unsafe void AddTokens(int entries, int sent, byte* tokens)
    {
        int bin = BinOf(entries, sent);
        _sampled[bin] += sent;
        // Four counters by turns, so that equal tokens in a row do not wait for each other.
        fixed (int* counts = &_tokens[bin * Tokens * Turns])
        {
            int i = 0;
            for (; i + Turns <= sent; i += Turns)
            {
                counts[Turns * tokens[i]]++;
                counts[Turns * tokens[i + 1] + 1]++;
                counts[Turns * tokens[i + 2] + 2]++;
                counts[Turns * tokens[i + 3] + 3]++;
            }
            for (; i < sent; i++) counts[Turns * tokens[i]]++;
        }
    }

    /// <summary>The class of a block.</summary>
    public int Of(int entries, int sent) => _classOf[BinOf(entries, sent)];

    /// <summary>The sampled token counts of a class.</summary>
    public void TokensOf(int @class, Span<long> counts)
    {
        counts.Clear();
        for (int bin = 0; bin < Bins; bin++)
            if (_sampled[bin] > 0 && _classOf[bin] == @class)
                for (int token = 0; token < _tokenLimit; token++)
                    counts[token] += _sums[bin * Tokens + token];
    }

    /// <summary>Joins the ranges into classes.</summary>
    /// <param name="single">Whether there is to be one class only.</param>
    /// <param name="sampling">Of how many blocks one was sampled.</param>
    public void Choose(bool single, int sampling)
    {
        SumTokens();
        Span<int> first = stackalloc int[Bins + 1]; // Class c covers the ranges first[c] to first[c + 1] − 1.
        Span<long> cost = stackalloc long[Bins];
        int count = 0;
        long blocks = 0;
        for (int bin = 0; bin < Bins; bin++)
        {
            blocks += _blocks[bin];
            if (_blocks[bin] > 0 && (!single || count == 0)) first[count++] = bin;
        }
        if (count > 0) first[0] = 0;
        first[count] = Bins;
        Span<long> joined = stackalloc long[Bins];
        for (int c = 0; c < count; c++) cost[c] = CostOf(first[c], first[c + 1], blocks, sampling);
        for (int c = 0; c + 1 < count; c++) joined[c] = CostOf(first[c], first[c + 2], blocks, sampling);
        while (count > 1)
        {
            int best = 0;
            for (int c = 1; c + 1 < count; c++)
                if (cost[c] + cost[c + 1] - joined[c] > cost[best] + cost[best + 1] - joined[best])
                    best = c;
            if (count <= Maximum && cost[best] + cost[best + 1] < joined[best]) break;
            cost[best] = joined[best];
            count--;
            for (int c = best + 1; c <= count; c++) first[c] = first[c + 1];
            for (int c = best + 1; c < count; c++) cost[c] = cost[c + 1];
            for (int c = best + 1; c + 1 < count; c++) joined[c] = joined[c + 1];
            if (best > 0) joined[best - 1] = CostOf(first[best - 1], first[best + 1], blocks, sampling);
            if (best + 1 < count) joined[best] = CostOf(first[best], first[best + 2], blocks, sampling);
        }
        Count = Math.Max(1, count);
        Array.Clear(_classOf);
        for (int c = 0; c < count; c++) _classOf.AsSpan(first[c]..first[c + 1]).Fill(c);
    }

    private void SumTokens()
    {
        for (int bin = 0; bin < Bins; bin++)
        {
            if (_sampled[bin] == 0) continue;
            Span<int> counts = _tokens.AsSpan(bin * Tokens * Turns, Tokens * Turns);
            for (int token = 0; token < Tokens; token++)
            {
                int sum = 0;
                foreach (int count in counts.Slice(token * Turns, Turns)) sum += count;
                _sums[bin * Tokens + token] = sum;
                if (sum > 0) _tokenLimit = Math.Max(_tokenLimit, token + 1);
            }
            counts.Clear(); // For the chunk to come.
        }
    }

    private static int BinOf(int entries, int sent) => _binOf[entries == Planes.Block ? sent : sent * Planes.Block / entries];

    private static byte[] BinTable()
    {
        byte[] table = new byte[Planes.Block + 1];
        for (int sent = 0; sent < table.Length; sent++)
            while (table[sent] < _edges.Length && _edges[table[sent]] <= sent)
                table[sent]++;
        return table;
    }

    /// <summary>Bits of bitmap, tokens, class numbers and tables if these ranges were one class.</summary>
    private long CostOf(int from, int to, long allBlocks, int sampling)
    {
        long blocks = 0, entries = 0, sent = 0, sampled = 0, tokens = 0, symbols = 0;
        for (int bin = from; bin < to; bin++)
        {
            blocks += _blocks[bin];
            entries += _entries[bin];
            sent += _sent[bin];
            sampled += _sampled[bin];
        }
        long known = sampled == 0 ? 0 : FixedLog2.Of((ulong)sampled);
        for (int token = 0; token < _tokenLimit; token++)
        {
            long count = 0;
            for (int bin = from; bin < to; bin++) count += _sampled[bin] > 0 ? _sums[bin * Tokens + token] : 0;
            if (count == 0) continue;
            symbols++;
            tokens += count * (known - FixedLog2.Of((ulong)count));
        }
        // A class costs its tables, and a sampled distribution fits its sample better than the rest by half a bit or so per symbol and degree of sampling.
        long tables = 64 + symbols * (5 + (sampling > 1 ? sampling : 0));
        // Nothing is known of tokens that were not sampled; such a class is joined with another.
        return FixedLog2.Bitmap(sent, entries) + (sampled == 0 ? Unknown * sent : tokens * sent / sampled) + tables * FixedLog2.One
            + blocks * (FixedLog2.Of((ulong)allBlocks) - FixedLog2.Of((ulong)blocks));
    }
}
