using System.Diagnostics;

namespace EcoLora.Messaging;

/// <summary>What came of one try of a call.</summary>
/// <typeparam name="T">What the call gives.</typeparam>
/// <param name="Answer">What it gave; null where it failed.</param>
/// <param name="Failure">Why it failed, or null.</param>
/// <param name="IsFinal">Whether the failure is about the call itself and does not get better.</param>
public readonly record struct Tried<T>(T? Answer, CallException? Failure, bool IsFinal);

/// <summary>Tries again while whoever is called, or what is behind, is away.</summary>
/// <param name="limit">How long a call that failed is tried again before its caller is told.</param>
public sealed class Patience(TimeSpan limit)
{
    /// <summary>The shortest and the longest pause between two tries.</summary>
    public static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(50), LongestPause = TimeSpan.FromSeconds(2);

    /// <summary>Calls again and again until there is an answer.</summary>
    /// <exception cref="CallException">The last failure, when it is final or the limit is reached.</exception>
    public async Task<T> TryAsync<T>(Func<Task<Tried<T>>> attempt, CancellationToken cancellation)
    {
        var clock = Stopwatch.StartNew();
        for (TimeSpan pause = FirstPause; ; pause = Longer(pause))
        {
            Tried<T> tried = await attempt();
            if (tried.Failure is not { } failure) return tried.Answer!;
            if (tried.IsFinal || clock.Elapsed + pause > limit) throw failure;
            await Task.Delay(pause, cancellation);
        }
    }

    /// <summary>Asks until the answer is yes.</summary>
    public static async Task UntilAsync(Func<Task<bool>> ask, CancellationToken cancellation)
    {
        for (TimeSpan pause = FirstPause; !await ask(); pause = Longer(pause)) await Task.Delay(pause, cancellation);
    }

    private static TimeSpan Longer(TimeSpan pause) => TimeSpan.FromTicks(Math.Min(2 * pause.Ticks, LongestPause.Ticks));
}
