namespace EcoLora.Messaging;

/// <summary>
/// How much an app may put among the dead letters of its topics, so that whoever can send rubbish cannot fill the broker a second time with it. A window begins with its
/// first dead letter; what is over the quota is acknowledged, and only counted.
/// </summary>
/// <param name="clock">The time.</param>
public sealed class DeadLetterQuota(TimeProvider clock)
{
    /// <summary>Dead letters of a window.</summary>
    public const int Messages = 1000;

    /// <summary>Their bytes.</summary>
    public const long Bytes = 64L << 20;

    /// <summary>Length of a window.</summary>
    public static readonly TimeSpan Window = TimeSpan.FromHours(1);

    private readonly Lock _turn = new();
    private long? _began;
    private int _messages;
    private long _bytes;

    /// <summary>Whether a message of that size may become a dead letter; it counts if so.</summary>
    public bool TryTake(int bytes)
    {
        lock (_turn)
        {
            if (_began is not { } began || clock.GetElapsedTime(began) >= Window) (_began, _messages, _bytes) = (clock.GetTimestamp(), 0, 0);
            if (_messages == Messages || _bytes + bytes > Bytes) return false;
            _messages++;
            _bytes += bytes;
            return true;
        }
    }
}
