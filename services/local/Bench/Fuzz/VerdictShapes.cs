using System.Runtime.InteropServices;
using System.Text;

namespace EcoLora.Local.Bench;

/// <summary>
/// The kinds of verdict that were met: of a refusal the field and what was expected, without numbers; of an accepted frame what <see cref="FrameOutline"/>
/// tells.
/// </summary>
internal sealed class VerdictShapes
{
    private const string Found = ", found ";

    /// <summary>Fields whose expected value is a number in hexadecimal.</summary>
    private static readonly string[] _hexadecimal = ["frame: checksum: expected ", "frame: chunk checksum: expected ", "frame: layout: expected "];

    private readonly Dictionary<ulong, (string Shape, long Count)> _refused = [];
    private readonly Dictionary<ulong, long> _accepted = [];
    private readonly FrameOutline _outline = new();

    /// <summary>Kinds of refusal, the most frequent first.</summary>
    public IEnumerable<(string Shape, long Count)> Refused =>
        _refused.Values.OrderByDescending(kind => kind.Count).ThenBy(kind => kind.Shape, StringComparer.Ordinal);

    /// <summary>Kinds of accepted frames, the most frequent first.</summary>
    public IEnumerable<(string Shape, long Count)> Accepted =>
        _accepted.OrderByDescending(kind => kind.Value).ThenBy(kind => kind.Key).Select(kind => (FrameOutline.Describe(kind.Key), kind.Value));

    /// <summary>Number of kinds of refusal.</summary>
    public int RefusedCount => _refused.Count;

    /// <summary>Number of kinds of accepted frames.</summary>
    public int AcceptedCount => _accepted.Count;

    /// <summary>Takes a verdict in.</summary>
    /// <returns>Whether it is of a new kind.</returns>
    public bool Add(Verdict verdict, ReadOnlySpan<byte> frame)
    {
        if (verdict.Refusal is not { } refusal) return CollectionsMarshal.GetValueRefOrAddDefault(_accepted, _outline.TraitsOf(frame), out _)++ == 0;
        ref (string Shape, long Count) kind = ref CollectionsMarshal.GetValueRefOrAddDefault(_refused, KeyOf(refusal), out bool isKnown);
        if (!isKnown) kind.Shape = ShapeOf(refusal);
        kind.Count++;
        return !isKnown;
    }

    /// <summary>Takes in what another thread has met.</summary>
    public void Add(VerdictShapes other)
    {
        foreach ((ulong key, (string shape, long count)) in other._refused) _refused[key] = (shape, _refused.GetValueOrDefault(key).Count + count);
        foreach ((ulong key, long count) in other._accepted) _accepted[key] = _accepted.GetValueOrDefault(key) + count;
    }

    /// <summary>The message without digits and what was found.</summary>
    public static string ShapeOf(string message)
    {
        var shape = new StringBuilder();
        foreach (char c in Known(message)) if (!char.IsAsciiDigit(c)) shape.Append(c);
        return shape.ToString();
    }

    /// <summary>A number of the shape (FNV-1a), without making its text.</summary>
    private static ulong KeyOf(string message)
    {
        ulong key = 14695981039346656037;
        foreach (char c in Known(message)) if (!char.IsAsciiDigit(c)) key = (key ^ c) * 1099511628211;
        return key;
    }

    private static ReadOnlySpan<char> Known(string message)
    {
        foreach (string prefix in _hexadecimal)
            if (message.StartsWith(prefix, StringComparison.Ordinal))
                return prefix;
        int end = message.IndexOf(Found, StringComparison.Ordinal);
        return end < 0 ? message : message.AsSpan(0, end);
    }
}
