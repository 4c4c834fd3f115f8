namespace EcoLora.Messaging.Tests;

/// <summary>A bus in one process, or one around it.</summary>
public abstract class InProcessConformance : MessageBusConformance
{
    private bool _stopped;

    /// <summary>The bus that carries everything.</summary>
    protected InProcessBus InProcess { get; } = new();

    protected override Task StartAsync()
    {
        InProcess.Start();
        return Task.CompletedTask;
    }

    protected override async Task StopAsync()
    {
        if (_stopped) return;
        _stopped = true;
        await InProcess.DisposeAsync();
    }
}
