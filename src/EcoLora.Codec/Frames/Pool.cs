using System.Collections.Concurrent;

namespace EcoLora.Codec;

/// <summary>Work areas that are used again: as many as were ever in use at once.</summary>
internal static class Pool<T>
    where T : class, new()
{
    private static readonly ConcurrentQueue<T> _free = new();

    /// <summary>One that nobody else has.</summary>
    public static T Rent() => _free.TryDequeue(out T? area) ? area : new T();

    /// <summary>Gives it back.</summary>
    public static void Return(T area) => _free.Enqueue(area);
}
