namespace EcoLora.Services.Codec;

/// <summary>Lets callers wait until a condition over some state holds; whoever changes the state raises the signal.</summary>
internal sealed class StateSignal
{
    private TaskCompletionSource _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Wakes all waiters, who look at the state again.</summary>
    public void Raise() => Interlocked.Exchange(ref _changed, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).SetResult();

    /// <summary>Waits until <paramref name="condition"/> gives a value; it is evaluated again after every change.</summary>
    public async Task<T> WaitForAsync<T>(Func<Task<T?>> condition, CancellationToken cancellation)
        where T : class
    {
        while (true)
        {
            Task changed = Volatile.Read(ref _changed).Task;
            if (await condition() is { } value) return value;
            await changed.WaitAsync(cancellation);
        }
    }
}
