namespace EcoLora.DaprSidecar;

/// <summary>Hands the messages of one topic on in the order that the faults want: one that is to be late waits until the next has been handed on.</summary>
internal sealed class DisorderedTopic<T>(Faults faults, string topic, Func<T, Fate, Task> handOnAsync)
    where T : class
{
    private T? _held;

    /// <summary>Whether a message waits for the next one; who reads calls <see cref="ReleaseAsync"/> when none comes.</summary>
    public bool Holds => _held is not null;

    public async Task PassAsync(T message)
    {
        Fate fate = faults.Read(topic);
        if (fate.Reorder && _held is null)
        {
            _held = message;
            return;
        }
        await handOnAsync(message, fate);
        await ReleaseAsync();
    }

    public async Task ReleaseAsync()
    {
        if (_held is not { } late) return;
        await handOnAsync(late, default);
        _held = null;
    }
}
