namespace EcoLora.Codec;

/// <summary>
/// Work that is the same for every chunk of a frame, spread over the thread pool. The caller works too and never waits for a thread that has not
/// started, so that a full pool only makes it slower. Nothing is allocated when a task is run again.
/// </summary>
internal abstract class ChunkTask : IThreadPoolWorkItem
{
    private readonly object _gate = new();
    private int _next, _count, _active, _welcome, _failedAt;
    private Exception? _failure;

    /// <summary>Does every chunk once.</summary>
    /// <param name="chunks">How many.</param>
    /// <param name="threads">Most threads; 0 for one per core.</param>
    /// <exception cref="Exception">What the first chunk that fails has thrown, whichever thread met it.</exception>
    protected void ForEach(int chunks, int threads)
    {
        if (threads == 0) threads = Environment.ProcessorCount;
        (_next, _count, _failure, _failedAt) = (0, chunks, null, int.MaxValue);
        int helpers = Math.Min(chunks, threads) - 1;
        lock (_gate) _welcome = helpers;
        for (int helper = 0; helper < helpers; helper++) ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
        Work();
        lock (_gate)
        {
            _welcome = 0;
            while (_active > 0) Monitor.Wait(_gate);
        }
        if (_failure is { } failure) System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(failure);
    }

    /// <summary>Does one chunk; several threads call it at once, each with another chunk.</summary>
    protected abstract void Do(int chunk);

    void IThreadPoolWorkItem.Execute()
    {
        lock (_gate)
        {
            // One that was queued for a call that is over may help another, but never more than that one asked for.
            if (_welcome == 0) return;
            _welcome--;
            _active++;
        }
        Work();
        lock (_gate)
            if (--_active == 0)
                Monitor.Pulse(_gate);
    }

    private void Work()
    {
        for (int chunk = Interlocked.Increment(ref _next) - 1; chunk < _count; chunk = Interlocked.Increment(ref _next) - 1)
        {
            try
            {
                Do(chunk);
            }
            catch (Exception exception)
            {
                // Chunks are taken in order: all before this one are done or being done, so the first that fails is always found.
                Volatile.Write(ref _next, _count);
                lock (_gate)
                    if (chunk < _failedAt)
                        (_failure, _failedAt) = (exception, chunk);
            }
        }
    }
}
