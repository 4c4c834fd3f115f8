using System.Net;
using System.Net.Sockets;

namespace EcoLora.DaprTestKit;

/// <summary>
/// Ports of 127.0.0.1 that nobody listens on, for processes that cannot bind to port 0 themselves. They lie below those that the system gives to outgoing
/// connections, of which a test has hundreds: one of these could take the port before the process binds it. Test projects that run beside each other have ranges of their own.
/// </summary>
public static class FreePort
{
    private const int First = 12_000, Size = 4_000, Ranges = 5;

    private static readonly HashSet<int> _given = [];

    /// <summary>Keeps others out of the range while this process lives.</summary>
    private static TcpListener? _claim;

    private static readonly int _first = First + Size * Claim();

    /// <summary>A port that this process has not given out before.</summary>
    public static int Next()
    {
        lock (_given)
        {
            while (true)
            {
                int port = Random.Shared.Next(_first, _first + Size);
                if (_given.Add(port) && IsFree(port)) return port;
            }
        }
    }

    /// <summary>Whether someone listens there.</summary>
    public static async Task<bool> AnswersAsync(int port)
    {
        try
        {
            using TcpClient client = new();
            await client.ConnectAsync(IPAddress.Loopback, port);
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }

    private static int Claim()
    {
        for (int range = 0; range < Ranges; range++)
        {
            try
            {
                _claim = new TcpListener(IPAddress.Loopback, First - 1 - range) { ExclusiveAddressUse = true };
                _claim.Start();
                return range;
            }
            catch (SocketException)
            {
                // Another process has it.
            }
        }
        throw new InvalidOperationException($"expected at most {Ranges} test projects at a time, found more");
    }

    private static bool IsFree(int port)
    {
        try
        {
            using TcpListener listener = new(IPAddress.Loopback, port);
            listener.Start();
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }
}

/// <summary>Waits for conditions.</summary>
public static class Eventually
{
    /// <summary>Asks again every 25 ms until the answer is true; fails with <paramref name="what"/> after the limit (15 s unless told), and what <paramref name="details"/> adds.</summary>
    public static async Task TrueAsync(Func<Task<bool>> condition, string what, TimeSpan? limit = null, Func<string>? details = null)
    {
        long end = Environment.TickCount64 + (long)(limit ?? TimeSpan.FromSeconds(15)).TotalMilliseconds;
        while (!await condition())
        {
            if (Environment.TickCount64 > end) throw new TimeoutException($"waited in vain: {what}{(details is null ? "" : "\n" + details())}");
            await Task.Delay(25);
        }
    }

    /// <summary>As above, of a condition that needs no waiting itself.</summary>
    public static Task TrueAsync(Func<bool> condition, string what, TimeSpan? limit = null) => TrueAsync(() => Task.FromResult(condition()), what, limit);
}
