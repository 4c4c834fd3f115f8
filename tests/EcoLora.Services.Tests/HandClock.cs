namespace EcoLora.Services.Tests;

/// <summary>A clock that goes on when it is told.</summary>
internal sealed class HandClock : TimeProvider
{
    private TimeSpan _now = TimeSpan.FromHours(1);

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    public override long GetTimestamp() => _now.Ticks;

    public override DateTimeOffset GetUtcNow() => DateTimeOffset.UnixEpoch + _now;

    public void Pass(double seconds) => _now += TimeSpan.FromSeconds(seconds);
}
