namespace EcoLora.Telemetry.Tests;

public class TcpTransferTests
{
    [Theory]
    // One segment: 50 ms + 8·(1448 + 52)/10^6.
    [InlineData(1448, 1, 1, 0.062)]
    // One byte more is a second packet with its own header: 50 ms + 8·1553/10^6.
    [InlineData(1449, 1, 1, 0.062424)]
    // 20 segments at 1.2 Mbps: τ = 10 ms; the link works 0.2 s. Ten segments take 100 ms, so it is idle for RTT − 100 ms = 10 ms + 8·52/0.416·10^6 = 11 ms.
    [InlineData(20 * 1448, 1.2, 0.416, 0.05 + 0.2 + 0.011)]
    // 100 segments at 12 Mbps: τ = 1 ms, RTT = 102 ms. After 10, 20 and 40 segments 92, 82 and 62 ms of idleness; the fourth window has the last 30.
    [InlineData(100 * 1448, 12, 0.416, 0.05 + 0.1 + 0.092 + 0.082 + 0.062)]
    // 70 segments: the third window is the last, and nothing waits for its acknowledgements.
    [InlineData(70 * 1448, 12, 0.416, 0.05 + 0.07 + 0.092 + 0.082)]
    [InlineData(0, 1, 1, 0)]
    public void A_transfer_takes_the_latency_its_packets_and_the_pauses_of_slow_start(long bytes, double mbps, double reverse, double seconds) =>
        Assert.Equal(seconds, TcpTransfer.Seconds(bytes, mbps, reverse, 50), 9);

    [Fact]
    public void More_bytes_never_take_less_time_and_a_full_pipe_adds_only_its_packets()
    {
        double before = 0;
        for (long bytes = 1; bytes < 2_000_000; bytes += 997)
        {
            double now = TcpTransfer.Seconds(bytes, 25, 5, 50);
            Assert.True(now > before, $"{bytes} bytes");
            before = now;
        }
        double more = TcpTransfer.Seconds(201 * 1_448_000L, 25, 5, 50) - TcpTransfer.Seconds(200 * 1_448_000L, 25, 5, 50);
        Assert.Equal(8 * 1000 * 1500 / 25e6, more, 6);
    }

    [Fact]
    public void Packets_have_a_header_each() =>
        Assert.Equal([0, 53, 1500, 1553], new long[] { 0, 1, 1448, 1449 }.Select(TcpTransfer.PacketBytes));
}
