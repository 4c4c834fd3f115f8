using System.Buffers.Binary;
using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace EcoLora.Local.Bench;

/// <summary>
/// One end of a link, the hub or a site, in a network namespace of its own. Both ends send the same frames in the same order over one connection, which is idle
/// before each. A message is 16 bytes and a frame: its length, and the moment when it was begun by the machine's monotonic clock, which both ends share.
/// </summary>
internal sealed class LinkEnd : IDisposable
{
    /// <summary>Bytes of a message before its frame, and of the answer to one.</summary>
    public const int Prelude = 16;

    /// <summary>
    /// Linux halves an idle connection's window once per retransmission time-out (0.3 s here, more with a full buffer); after this it is the first window again.
    /// </summary>
    public static readonly TimeSpan UsualPause = TimeSpan.FromSeconds(5);

    private readonly Socket _socket;
    private readonly TimeSpan _pause;
    private readonly byte[] _prelude = new byte[Prelude];

    internal LinkEnd(Socket socket, TimeSpan pause) => (_socket, _pause) = (socket, pause);

    /// <summary>Until the last acknowledgements have passed the interface.</summary>
    private TimeSpan Settle => _pause / 5;

    /// <summary>Calls the hub, which may have to start first.</summary>
    /// <param name="hub">Where it listens.</param>
    /// <param name="pause">Before each frame.</param>
    public static LinkEnd Connect(IPEndPoint hub, TimeSpan pause)
    {
        var waiting = Stopwatch.StartNew();
        while (true)
        {
            Socket socket = Open();
            try
            {
                socket.Connect(hub);
                return new LinkEnd(socket, pause);
            }
            catch (SocketException) when (waiting.Elapsed < TimeSpan.FromSeconds(60))
            {
                socket.Dispose();
                Thread.Sleep(200);
            }
        }
    }

    /// <summary>The hub's part: answers each upload with its time, then sends the same frame down.</summary>
    public void ServeHub(IReadOnlyList<LinkFrame> frames)
    {
        foreach (LinkFrame frame in WithFirst(frames))
        {
            double seconds = Receive(frame.Bytes.Length);
            BinaryPrimitives.WriteDoubleLittleEndian(_prelude, seconds);
            SendAll(_prelude);
            Thread.Sleep(_pause);
            Send(frame.Bytes);
        }
    }

    /// <summary>The site's part: sends each frame up, receives it from the hub, and reads its interface before and after.</summary>
    /// <returns>Two measurements for each frame.</returns>
    public IEnumerable<LinkMeasurement> MeasureSite(IReadOnlyList<LinkFrame> frames)
    {
        bool isFirst = true;
        foreach (LinkFrame frame in WithFirst(frames))
        {
            Thread.Sleep(_pause - Settle);
            (long Received, long Sent) start = Interface();
            Send(frame.Bytes);
            ReceiveAll(_prelude);
            double up = BinaryPrimitives.ReadDoubleLittleEndian(_prelude);
            Thread.Sleep(Settle);
            (long Received, long Sent) between = Interface();
            double down = Receive(frame.Bytes.Length);
            Thread.Sleep(Settle);
            (long Received, long Sent) end = Interface();
            // The first message of each program also waits for its code to be compiled.
            if (!isFirst)
            {
                yield return new LinkMeasurement(frame, true, up, between.Sent - start.Sent, between.Received - start.Received);
                yield return new LinkMeasurement(frame, false, down, end.Received - between.Received, end.Sent - between.Sent);
            }
            isFirst = false;
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _socket.Dispose();

    private static IEnumerable<LinkFrame> WithFirst(IReadOnlyList<LinkFrame> frames) => frames.Prepend(frames.MinBy(frame => frame.Bytes.Length)!);

    internal static Socket Open()
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        // TCP_CONGESTION: what Linux uses by itself, whatever this machine is set to.
        socket.SetRawSocketOption(6, 13, "cubic"u8);
        return socket;
    }

    private void Send(byte[] frame)
    {
        byte[] message = new byte[Prelude + frame.Length];
        frame.CopyTo(message, Prelude);
        BinaryPrimitives.WriteInt64LittleEndian(message, frame.Length);
        BinaryPrimitives.WriteInt64LittleEndian(message.AsSpan(8), Stopwatch.GetTimestamp());
        SendAll(message);
    }

    /// <summary>Seconds from the sender's first byte to the last one here.</summary>
    private double Receive(int length)
    {
        ReceiveAll(_prelude);
        long announced = BinaryPrimitives.ReadInt64LittleEndian(_prelude), begun = BinaryPrimitives.ReadInt64LittleEndian(_prelude.AsSpan(8));
        if (announced != length) throw new InvalidDataException($"the other end: expected a frame of {length} bytes, found {announced}; give both ends the same updates");
        ReceiveAll(new byte[length]);
        return Stopwatch.GetElapsedTime(begun).TotalSeconds;
    }

    private void SendAll(ReadOnlySpan<byte> bytes)
    {
        while (!bytes.IsEmpty) bytes = bytes[_socket.Send(bytes)..];
    }

    private void ReceiveAll(Span<byte> bytes)
    {
        while (!bytes.IsEmpty)
        {
            int count = _socket.Receive(bytes);
            if (count == 0) throw new EndOfStreamException("the other end closed the connection");
            bytes = bytes[count..];
        }
    }

    /// <summary>Bytes of IP packets that passed this namespace's interfaces, its loopback apart.</summary>
    private static (long Received, long Sent) Interface()
    {
        long received = 0, sent = 0;
        foreach (string line in File.ReadLines("/proc/self/net/dev").Skip(2))
        {
            string[] parts = line.Split(':');
            if (parts[0].Trim() == "lo") continue;
            string[] counts = parts[1].Split(' ', StringSplitOptions.RemoveEmptyEntries);
            received += long.Parse(counts[0], CultureInfo.InvariantCulture);
            sent += long.Parse(counts[8], CultureInfo.InvariantCulture);
        }
        return (received, sent);
    }
}

/// <summary>Where the hub waits for its site.</summary>
internal sealed class LinkListener : IDisposable
{
    private readonly Socket _socket;

    private LinkListener(Socket socket) => _socket = socket;

    /// <summary>Its address, with the port that it got.</summary>
    public IPEndPoint Place => (IPEndPoint)_socket.LocalEndPoint!;

    /// <summary>Listens there.</summary>
    public static LinkListener At(IPEndPoint place)
    {
        Socket socket = LinkEnd.Open();
        socket.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.ReuseAddress, true);
        socket.Bind(place);
        socket.Listen(1);
        return new LinkListener(socket);
    }

    /// <summary>Waits for the site.</summary>
    /// <param name="pause">Before each frame.</param>
    public LinkEnd Accept(TimeSpan pause) => new(_socket.Accept(), pause);

    /// <inheritdoc/>
    public void Dispose() => _socket.Dispose();
}

/// <summary>A frame's way over a link.</summary>
/// <param name="Frame">The frame.</param>
/// <param name="IsUp">From the site to the hub.</param>
/// <param name="Seconds">From its first byte written to its last byte read.</param>
/// <param name="PacketBytes">What passed the site's interface in its direction.</param>
/// <param name="ReverseBytes">What passed against it: acknowledgements, and after an upload the answer.</param>
internal sealed record LinkMeasurement(LinkFrame Frame, bool IsUp, double Seconds, long PacketBytes, long ReverseBytes);
