namespace EcoLora.Telemetry;

/// <summary>
/// Time of one transfer over a TCP connection that is open and has been idle, as a broker's is between rounds: from the first byte that is written to the last
/// that is read. No packet is lost, and the buffer before the link holds a round trip's packets.
/// <code>
/// n = ⌈bytes/1448⌉,  τ = 8·1500/rate,  RTT = 2·latency + τ + 8·52/reverse rate
/// T = latency + 8·(bytes + 52·n)/rate + Σ_j max(0, RTT − w_j·τ),  w_j = 10·2^j, over the rounds j after which segments are left
/// </code>
/// The sum is slow start (RFC 5681): a window of w_j segments leaves the link idle until the first of its acknowledgements is back, and doubles. The window begins
/// at 10 segments (RFC 6928), after a pause longer than the retransmission time-out again (RFC 5681, 4.1). The form is that of Kurose and Ross,
/// <em>Computer Networking</em>, "dynamic congestion window". docs/network-time.md has what it leaves out and how it compares with measurements.
/// </summary>
public static class TcpTransfer
{
    /// <summary>Bytes of a full segment: an Ethernet's 1500 less <see cref="HeaderBytes"/>.</summary>
    public const int SegmentBytes = 1448;

    /// <summary>IPv4 (20), TCP (20) and its timestamps (12) before each segment; an acknowledgement is nothing else.</summary>
    public const int HeaderBytes = 52;

    /// <summary>Segments of the first window.</summary>
    public const int InitialWindow = 10;

    /// <summary>Bytes of the IP packets that carry a transfer, in its direction: bytes + 52·⌈bytes/1448⌉.</summary>
    /// <exception cref="OverflowException">More than 2^63 − 1.</exception>
    public static long PacketBytes(long bytes) => checked(bytes + (HeaderBytes * Segments(bytes)));

    /// <summary>Seconds of a transfer; 0 where there is nothing to transfer.</summary>
    /// <param name="bytes">What is written to the connection.</param>
    /// <param name="mbps">Rate of its direction in 10^6 bits of IP packets per second.</param>
    /// <param name="reverseMbps">Rate of the acknowledgements' direction.</param>
    /// <param name="latencyMilliseconds">Latency of one way.</param>
    public static double Seconds(long bytes, double mbps, double reverseMbps, double latencyMilliseconds)
    {
        if (bytes == 0) return 0;
        double latency = latencyMilliseconds / 1e3, segment = Passing(SegmentBytes + HeaderBytes, mbps);
        double roundTrip = (2 * latency) + segment + Passing(HeaderBytes, reverseMbps), seconds = latency + Passing(PacketBytes(bytes), mbps);
        long left = Segments(bytes) - InitialWindow;
        for (long window = InitialWindow; left > 0 && window * segment < roundTrip; left -= window)
        {
            seconds += roundTrip - (window * segment);
            window *= 2;
        }
        return seconds;
    }

    private static long Segments(long bytes) => (bytes / SegmentBytes) + (bytes % SegmentBytes == 0 ? 0 : 1);

    private static double Passing(double bytes, double mbps) => 8 * bytes / (mbps * 1e6);
}
