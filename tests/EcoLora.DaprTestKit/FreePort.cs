using System.Net;
using System.Net.Sockets;

namespace EcoLora.DaprTestKit;

/// <summary>Ports of 127.0.0.1 that nobody listens on, for processes that cannot bind to port 0 themselves.</summary>
public static class FreePort
{
    /// <summary>A port that the system has just given out and taken back; it gives others out before this one comes again.</summary>
    public static int Next()
    {
        using TcpListener listener = new(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}

/// <summary>Waits for conditions.</summary>
public static class Eventually
{
    /// <summary>Asks again every 10 ms until the answer is true; fails with <paramref name="what"/> after the limit (15 s unless told).</summary>
    public static async Task TrueAsync(Func<Task<bool>> condition, string what, TimeSpan? limit = null)
    {
        long end = Environment.TickCount64 + (long)(limit ?? TimeSpan.FromSeconds(15)).TotalMilliseconds;
        while (!await condition())
        {
            if (Environment.TickCount64 > end) throw new TimeoutException($"waited in vain: {what}");
            await Task.Delay(10);
        }
    }

    /// <summary>As above, of a condition that needs no waiting itself.</summary>
    public static Task TrueAsync(Func<bool> condition, string what, TimeSpan? limit = null) => TrueAsync(() => Task.FromResult(condition()), what, limit);
}
