using System.Runtime.ExceptionServices;

namespace EcoLora.Training;

/// <summary>Work over numbered items in fixed groups of neighbours, on any number of threads: what is computed together never depends on the threads.</summary>
internal static class WorkGroups
{
    /// <summary>Calls the work once per group with the items' numbers. The first exception of a group is thrown as it is.</summary>
    /// <param name="items">Number of items.</param>
    /// <param name="groupSize">Items of a group; the last may have fewer.</param>
    /// <param name="threads">Threads to use.</param>
    /// <param name="work">The work on one group.</param>
    /// <param name="onDone">Is told the size of each group that is done, from the thread that did it; or null.</param>
    /// <param name="cancellation">Honoured between groups.</param>
    public static void Run(int items, int groupSize, int threads, Action<int[]> work, Action<int>? onDone, CancellationToken cancellation)
    {
        int groups = (items + groupSize - 1) / groupSize;
        if (threads == 1 || groups <= 1)
        {
            for (int group = 0; group < groups; group++) RunGroup(group);
            return;
        }
        OnThreads(groups, threads, RunGroup, cancellation);

        void RunGroup(int group)
        {
            cancellation.ThrowIfCancellationRequested();
            int start = group * groupSize, size = Math.Min(groupSize, items - start);
            work([.. Enumerable.Range(start, size)]);
            onDone?.Invoke(size);
        }
    }

    /// <summary>Calls the work once per number, on up to so many threads. The first exception is thrown as it is.</summary>
    public static void OnThreads(int count, int threads, Action<int> work, CancellationToken cancellation)
    {
        try
        {
            Parallel.For(0, count, new ParallelOptions { MaxDegreeOfParallelism = threads, CancellationToken = cancellation }, work);
        }
        catch (AggregateException failures)
        {
            ExceptionDispatchInfo.Throw(failures.InnerExceptions[0]);
        }
    }
}
