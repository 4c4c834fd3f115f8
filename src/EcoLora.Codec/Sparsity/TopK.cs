using System.Numerics;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using EcoLora.Numerics;

namespace EcoLora.Codec;

/// <summary>
/// Which entries are kept, counted from 0 in the order of the pieces: those whose magnitude's bits are above the threshold, and of those equal to it the
/// ones up to the last tie.
/// </summary>
/// <param name="Threshold">Bits of a magnitude.</param>
/// <param name="LastTie">The last entry at which the threshold itself is kept; −1 for none.</param>
internal readonly record struct Selection(uint Threshold, int LastTie)
{
    /// <summary>Bits of the least magnitude that is kept at an entry.</summary>
    public uint MinimumAt(int entry) => entry <= LastTie ? Threshold : Threshold + 1;
}

/// <summary>What <see cref="TopK.Find"/> needs to work: candidates of at most a 16th of the entries, and 65536 counters.</summary>
internal sealed class TopKScratch
{
    /// <summary>Counters of <see cref="TopK"/>'s ranks.</summary>
    public int[] Counts { get; } = new int[1 << 16];

    /// <summary>The candidates.</summary>
    public PinnedBuffer Candidates { get; } = new();
}

/// <summary>Exact top-k by magnitude (method.md, step 5). Ties go to the lower index, so that k is exact and the choice is the same everywhere.</summary>
public static unsafe class TopK
{
    private const uint Magnitude = 0x7FFF_FFFF;

    /// <summary>Fewer entries than this are all candidates.</summary>
    private const int Few = 1 << 16;

    private const int MostSamples = 1 << 15;

    /// <summary>How many of <paramref name="entries"/> a kept fraction k means: k·n to the nearest integer, at least 1 (0 of 0).</summary>
    /// <exception cref="ArgumentOutOfRangeException">k is not in (0, 1].</exception>
    public static int CountFor(double fraction, int entries)
    {
        if (!(fraction > 0 && fraction <= 1)) throw new ArgumentOutOfRangeException(nameof(fraction), fraction, "k must be in (0, 1]");
        return entries == 0 ? 0 : Math.Clamp((int)Math.Round(fraction * entries, MidpointRounding.AwayFromZero), 1, entries);
    }

    /// <summary>
    /// Finds the <paramref name="keep"/> entries of largest magnitude. A sample brackets the threshold within four standard deviations; one pass over
    /// the entries counts those above the bracket and collects those inside; counting ranks among these finds the threshold. Where the sample misled, the same
    /// counting over all entries does.
    /// </summary>
    /// <param name="segment">The segment.</param>
    /// <param name="pieces">Where its entries are.</param>
    /// <param name="keep">How many, 0 to the number of entries; of all of them nothing is searched.</param>
    /// <param name="largest">[pieces] receives the largest magnitude's bits; what is not finite is at least 0x7F800000.</param>
    /// <param name="scratch">Memory that is used again.</param>
    /// <param name="path">Code path.</param>
    internal static Selection Find(ReadOnlySpan<float> segment, ReadOnlySpan<SegmentPiece> pieces, int keep, Span<uint> largest, TopKScratch scratch,
        SimdPath path)
    {
        int entries = 0;
        foreach (SegmentPiece piece in pieces) entries += piece.Length;
        ArgumentOutOfRangeException.ThrowIfNegative(keep);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(keep, entries);
        var pass = new Pass { Low = 1, High = 0 };
        if (keep > 0 && keep < entries)
        {
            (pass.Low, pass.High) = entries < Few ? (0, Magnitude) : Bracket(segment, pieces, entries, keep, scratch);
            pass.Room = entries < Few ? entries : entries / 16;
            pass.Candidates = (uint*)scratch.Candidates.Reserve((pass.Room + 64L) * sizeof(uint));
        }
        fixed (float* values = segment)
        {
            for (int i = 0; i < pieces.Length; i++) largest[i] = pass.Over((uint*)values + pieces[i].Start, pieces[i].Length, path);
        }
        if (keep == 0) return new Selection(Magnitude, -1);
        if (keep == entries) return new Selection(0, entries - 1);

        int rank = keep - pass.Above;
        Ranked found;
        if (rank >= 1 && rank <= pass.Inside && pass.Inside <= pass.Room)
            found = RankOf(new ReadOnlySpan<uint>(pass.Candidates, pass.Inside), rank, scratch.Counts);
        else
            found = RankOfAll(segment, pieces, keep, scratch.Counts);
        return new Selection(found.Threshold, found.Kept == found.Equal ? entries - 1 : LastTie(segment, pieces, found));
    }

    /// <summary>A magnitude of a rank, how many entries have it, and how many of these are among the rank's.</summary>
    private readonly record struct Ranked(uint Threshold, int Kept, int Equal);

    /// <summary>One pass over the entries: how many magnitudes are above the bracket, and those inside it.</summary>
    private struct Pass
    {
        public uint Low, High;
        public uint* Candidates;
        public int Room, Above, Inside;

        public uint Over(uint* values, int count, SimdPath path)
        {
            int i = 0;
            uint largest = 0;
            if (path == SimdPath.Vector512) largest = Over512(values, count, ref i);
            else if (path == SimdPath.Vector256) largest = Over256(values, count, ref i);
            else if (path == SimdPath.Vector128) largest = Over128(values, count, ref i);
            for (; i < count; i++)
            {
                uint magnitude = values[i] & Magnitude;
                largest = Math.Max(largest, magnitude);
                if (magnitude > High) Above++;
                else if (magnitude >= Low) Add(magnitude);
            }
            return largest;
        }

        private void Add(uint magnitude)
        {
            if (Inside < Room) Candidates[Inside] = magnitude;
            Inside++;
        }

        private uint Over512(uint* values, int count, ref int i)
        {
            Vector512<uint> largest = Vector512<uint>.Zero, mask = Vector512.Create(Magnitude), low = Vector512.Create(Low);
            Vector512<uint> width = Vector512.Create(High - Low), high = Vector512.Create(High);
            nint above = 0, inside = Inside, room = Room;
            if (Low > High)
            {
                for (; i + 16 <= count; i += 16) largest = Vector512.Max(largest, Vector512.Load(values + i) & mask);
                return Largest(largest);
            }
            for (; i + 16 <= count; i += 16)
            {
                Vector512<uint> magnitude = Vector512.Load(values + i) & mask;
                largest = Vector512.Max(largest, magnitude);
                above += BitOperations.PopCount((uint)Vector512.GreaterThan(magnitude, high).ExtractMostSignificantBits());
                Vector512<uint> between = Vector512.LessThanOrEqual(magnitude - low, width);
                if (inside <= room) Avx512F.Compress(Vector512<uint>.Zero, between, magnitude).Store(Candidates + inside);
                inside += BitOperations.PopCount((uint)between.ExtractMostSignificantBits());
            }
            Above += (int)above;
            Inside = (int)inside;
            return Largest(largest);
        }

        private uint Over256(uint* values, int count, ref int i)
        {
            Vector256<uint> largest = Vector256<uint>.Zero, mask = Vector256.Create(Magnitude);
            // Magnitudes are below 2^31, so comparing them as signed numbers is right.
            Vector256<int> low = Vector256.Create((int)Low - 1), high = Vector256.Create((int)High), above = Vector256<int>.Zero;
            for (; i + 8 <= count; i += 8)
            {
                Vector256<uint> magnitude = Vector256.Load(values + i) & mask;
                largest = Vector256.Max(largest, magnitude);
                Vector256<int> over = Vector256.GreaterThan(magnitude.AsInt32(), high);
                above -= over;
                uint bits = Vector256.AndNot(Vector256.GreaterThan(magnitude.AsInt32(), low), over).ExtractMostSignificantBits();
                for (; bits != 0; bits &= bits - 1) Add(values[i + BitOperations.TrailingZeroCount(bits)] & Magnitude);
            }
            Above += Vector256.Sum(above);
            return Largest(Vector128.Max(largest.GetLower(), largest.GetUpper()));
        }

        private uint Over128(uint* values, int count, ref int i)
        {
            Vector128<uint> largest = Vector128<uint>.Zero, mask = Vector128.Create(Magnitude);
            Vector128<int> low = Vector128.Create((int)Low - 1), high = Vector128.Create((int)High), above = Vector128<int>.Zero;
            for (; i + 4 <= count; i += 4)
            {
                Vector128<uint> magnitude = Vector128.Load(values + i) & mask;
                largest = Vector128.Max(largest, magnitude);
                Vector128<int> over = Vector128.GreaterThan(magnitude.AsInt32(), high);
                above -= over;
                uint bits = Vector128.AndNot(Vector128.GreaterThan(magnitude.AsInt32(), low), over).ExtractMostSignificantBits();
                for (; bits != 0; bits &= bits - 1) Add(values[i + BitOperations.TrailingZeroCount(bits)] & Magnitude);
            }
            Above += Vector128.Sum(above);
            return Largest(largest);
        }

        private static uint Largest(Vector512<uint> v)
        {
            Vector256<uint> quarter = Vector256.Max(v.GetLower(), v.GetUpper());
            return Largest(Vector128.Max(quarter.GetLower(), quarter.GetUpper()));
        }

        private static uint Largest(Vector128<uint> v) => Math.Max(Math.Max(v[0], v[1]), Math.Max(v[2], v[3]));
    }

    /// <summary>Magnitudes between which that of rank <paramref name="keep"/> lies most likely: the sample's, four standard deviations from its rank.</summary>
    private static (uint Low, uint High) Bracket(ReadOnlySpan<float> segment, ReadOnlySpan<SegmentPiece> pieces, int entries, int keep, TopKScratch scratch)
    {
        int samples = Math.Min(MostSamples, entries / 8), piece = 0, passed = 0;
        uint* sample = (uint*)scratch.Candidates.Reserve(samples * sizeof(uint));
        for (int i = 0; i < samples; i++)
        {
            // One entry of every stretch of n / samples, at a place that changes from one to the next, so that no period of the data is met.
            long from = (long)i * entries / samples, to = (i + 1L) * entries / samples;
            int entry = (int)(from + (to - from) * (uint)(i * 0x9E3779B9) / (1L << 32));
            while (entry >= passed + pieces[piece].Length) passed += pieces[piece++].Length;
            sample[i] = BitConverter.SingleToUInt32Bits(segment[pieces[piece].Start + entry - passed]) & Magnitude;
        }
        double share = (double)keep / entries, centre = share * samples, spread = 4 * Math.Sqrt(centre * (1 - share)) + 1;
        var values = new ReadOnlySpan<uint>(sample, samples);
        int upper = (int)(centre - spread), lower = (int)(centre + spread) + 1;
        uint high = upper < 1 ? Magnitude : RankOf(values, upper, scratch.Counts).Threshold;
        uint low = lower > samples ? 0 : RankOf(values, lower, scratch.Counts).Threshold;
        return (low, high);
    }

    /// <summary>The value of a rank, counted from the largest, 1 first: digit by digit of its 31 bits, of few values by small digits.</summary>
    private static Ranked RankOf(ReadOnlySpan<uint> values, int rank, int[] counts)
    {
        ReadOnlySpan<int> shifts = values.Length < Few ? [20, 10, 0] : [15, 0];
        uint threshold = 0;
        int place = 31, equal = 0;
        foreach (int shift in shifts)
        {
            Span<int> digits = counts.AsSpan(0, 1 << place - shift);
            uint mask = (uint)digits.Length - 1;
            digits.Clear();
            foreach (uint value in values)
                if ((value ^ threshold) >> place == 0)
                    digits[(int)(value >> shift & mask)]++;
            (int digit, rank) = BucketOf(digits, rank);
            threshold |= (uint)digit << shift;
            (place, equal) = (shift, digits[digit]);
        }
        return new Ranked(threshold, rank, equal);
    }

    private static Ranked RankOfAll(ReadOnlySpan<float> segment, ReadOnlySpan<SegmentPiece> pieces, int rank, int[] counts)
    {
        Array.Clear(counts);
        foreach (SegmentPiece piece in pieces)
            foreach (float value in segment.Slice(piece.Start, piece.Length))
                counts[(BitConverter.SingleToUInt32Bits(value) & Magnitude) >> 15]++;
        (int high, int left) = BucketOf(counts, rank);
        Array.Clear(counts);
        foreach (SegmentPiece piece in pieces)
        {
            foreach (float value in segment.Slice(piece.Start, piece.Length))
            {
                uint magnitude = BitConverter.SingleToUInt32Bits(value) & Magnitude;
                if (magnitude >> 15 == (uint)high) counts[magnitude & 0x7FFF]++;
            }
        }
        (int low, int kept) = BucketOf(counts, left);
        return new Ranked((uint)high << 15 | (uint)low, kept, counts[low]);
    }

    /// <summary>The bucket that holds the rank, counted from the largest, and the rank inside it.</summary>
    private static (int Bucket, int Rank) BucketOf(ReadOnlySpan<int> counts, int rank)
    {
        int bucket = counts.Length - 1;
        for (; counts[bucket] < rank; bucket--) rank -= counts[bucket];
        return (bucket, rank);
    }

    /// <summary>The entry of the last tie that is kept.</summary>
    private static int LastTie(ReadOnlySpan<float> segment, ReadOnlySpan<SegmentPiece> pieces, Ranked found)
    {
        int passed = 0, left = found.Kept;
        foreach (SegmentPiece piece in pieces)
        {
            ReadOnlySpan<uint> values = MemoryMarshal.Cast<float, uint>(segment.Slice(piece.Start, piece.Length));
            for (int at = 0; ;)
            {
                int next = values[at..].IndexOfAny(found.Threshold, found.Threshold | ~Magnitude);
                if (next < 0) break;
                at += next + 1;
                if (--left == 0) return passed + at - 1;
            }
            passed += piece.Length;
        }
        throw new InvalidOperationException("fewer ties than were counted");
    }
}
