using System.Text;
using System.Text.Json;
using EcoLora.Federation;
using EcoLora.Messaging;
using EcoLora.Services.Scheduler;
using EcoLora.TestKit;

namespace EcoLora.Services.Tests;

/// <summary>Two schedulers over one state store, as when a second one is started by mistake or takes over.</summary>
public sealed class TwoSchedulersTests : IAsyncDisposable
{
    private static readonly RunPlan _draft = new("run-1", 11, "fedit", 4, 2, 2, new ExchangeOptions { Segments = 2 }, [], []);

    private readonly TemporaryFolder _folder = new();
    private readonly FolderStateStore _store;
    private readonly InProcessBus _bus = new();

    public TwoSchedulersTests() => _store = new FolderStateStore(new DurableFolder(_folder.Path));

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public async ValueTask DisposeAsync()
    {
        await _bus.DisposeAsync();
        _folder.Dispose();
    }

    [Fact]
    public async Task When_both_hear_every_report_each_decision_is_taken_once_and_both_see_the_end()
    {
        using SchedulerService first = Scheduler(_bus), second = Scheduler(_bus);
        _ = new AnsweringSite(_bus);
        _bus.Start();
        ScheduledRun[] runs = await Task.WhenAll(first.StartAsync(History(), null, Cancellation), second.StartAsync(History(), null, Cancellation));
        await Task.WhenAll(runs.Select(run => run.Finished)).WaitAsync(TimeSpan.FromMinutes(1), Cancellation);
        await CheckJournalAsync();
        Assert.Equal(runs[0].Entries, runs[1].Entries);
    }

    [Fact]
    public async Task When_each_hears_a_part_of_the_reports_none_is_lost()
    {
        var shared = new SharedConsumer(_bus);
        using SchedulerService first = Scheduler(shared), second = Scheduler(shared);
        _ = new AnsweringSite(_bus);
        _bus.Start();
        ScheduledRun one = await first.StartAsync(History(), null, Cancellation), other = await second.StartAsync(History(), null, Cancellation);
        // Nobody reminds: a report that one of them took for no news would be missing for good.
        await Task.WhenAny(one.Finished, other.Finished).WaitAsync(TimeSpan.FromMinutes(1), Cancellation);
        await CheckJournalAsync();
        // The one that did not decide the end learns of it instead of reminding for ever.
        await one.SayAgainAsync(Cancellation);
        await other.SayAgainAsync(Cancellation);
        Assert.True(one.Finished.IsCompletedSuccessfully && other.Finished.IsCompletedSuccessfully);
        Assert.Equal(one.Entries, other.Entries);
    }

    [Fact]
    public async Task A_scheduler_that_comes_back_finds_the_run_by_its_first_report()
    {
        using (var journal = new StateJournal(_store, "run-1")) await journal.TryAppendAsync(0, new Decided(History().Next()!, 30), Cancellation);
        var said = new List<RoundMessage>();
        var end = new TaskCompletionSource();
        using SchedulerService scheduler = Scheduler(_bus, (name, _) => Task.FromResult(name == "run-1" ? History() : null as RunHistory));
        _ = new AnsweringSite(_bus);
        _bus.Subscribe(Topics.Rounds, "listener", (message, _) =>
        {
            said.Add(ProtocolJson.ReadRound(message.Payload.Span));
            if (said[^1] is RunFinished) end.SetResult();
            return Task.FromResult(Verdict.Success);
        });
        _bus.Start();
        await PublishAsync(new SiteUpdated("run-2", 0, 1, 90));
        await PublishAsync(new SiteUpdated("run-1", 0, 1, 90));
        await end.Task.WaitAsync(TimeSpan.FromMinutes(1), Cancellation);
        Assert.IsType<RunAnnounced>(said[0]);
        Assert.Equal(1, scheduler.Refused["unknown run"]);
        await CheckJournalAsync();
    }

    /// <summary>Announced, opened, four rounds opened and closed, ending, finished: each once and in order; and every report that counted, once.</summary>
    private async Task CheckJournalAsync()
    {
        using var journal = new StateJournal(_store, "run-1");
        IReadOnlyList<JournalEntry> entries = await journal.ReadAsync(0, Cancellation);
        Assert.Equal(
            ["RunAnnounced", "RunOpened", "open 0", "close 0", "open 1", "close 1", "open 2", "close 2", "open 3", "close 3", "RunEnding", "RunFinished"],
            entries.OfType<Decided>().Select(entry => entry.Message switch
            {
                RoundOpened m => $"open {m.Round}",
                RoundClosed m => $"close {m.Round}",
                _ => entry.Message.GetType().Name,
            }));
        string[] heard = [.. entries.OfType<Heard>().Select(entry => Encoding.UTF8.GetString(ProtocolJson.Write(entry.Report)))];
        Assert.Equal(2 + 4 * (2 + 2 + 3) + 2 + 2, heard.Length); // Versions 0 and 2 are evaluated on the way, and the end.
        Assert.Equal(heard.Length, heard.Distinct().Count());
    }

    private SchedulerService Scheduler(IMessageBus bus, Func<string, CancellationToken, Task<RunHistory?>>? find = null) => new(bus, name => new StateJournal(_store, name), find);

    private static RunHistory History() =>
        new(new RunAnnounced("run-1", JsonSerializer.SerializeToElement(new { name = "run-1" })), new RosterState(_draft, 4));

    private Task PublishAsync(ReportMessage report) => _bus.PublishAsync(Topics.Reports, report.Run, ProtocolJson.Write(report), Cancellation);

    /// <summary>A broker's consumer group with two members: each message goes to one of them, in turn.</summary>
    private sealed class SharedConsumer(IMessageBus bus) : IMessageBus
    {
        private readonly List<Func<BusMessage, CancellationToken, Task<Verdict>>> _members = [];
        private int _next;

        public Task PublishAsync(string topic, string key, ReadOnlyMemory<byte> payload, CancellationToken cancellation) => bus.PublishAsync(topic, key, payload, cancellation);

        public void Subscribe(string topic, string consumer, Func<BusMessage, CancellationToken, Task<Verdict>> handler)
        {
            _members.Add(handler);
            if (_members.Count == 1) bus.Subscribe(topic, consumer, (message, cancellation) => _members[_next++ % _members.Count](message, cancellation));
        }
    }
}
