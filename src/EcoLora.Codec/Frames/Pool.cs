namespace EcoLora.Codec;

/// <summary>Work areas that are used again, the last one first, whose memory is in the cache and large enough: as many as were ever in use at once.</summary>
internal static class Pool<T>
    where T : class, new()
{
    private static readonly Lock _gate = new();
    private static readonly Stack<T> _free = new();

    /// <summary>One that nobody else has.</summary>
    public static T Rent()
    {
        lock (_gate)
            if (_free.TryPop(out T? area))
                return area;
        return new T();
    }

    /// <summary>Gives it back.</summary>
    public static void Return(T area)
    {
        lock (_gate) _free.Push(area);
    }
}
