namespace EcoLora.TestKit;

/// <summary>Counts what the calling thread allocates.</summary>
public static class Allocations
{
    /// <summary>
    /// The bytes that the work allocated. A collection that another test sets off takes away what is left of the thread's allocation window, and the runtime
    /// then counts that remainder (up to 8 KiB) as allocated: work that a collection paused is done and counted again.
    /// </summary>
    public static long Of(Action work)
    {
        while (true)
        {
            TimeSpan pauses = GC.GetTotalPauseDuration();
            long before = GC.GetAllocatedBytesForCurrentThread();
            work();
            long bytes = GC.GetAllocatedBytesForCurrentThread() - before;
            if (GC.GetTotalPauseDuration() == pauses) return bytes;
        }
    }
}
