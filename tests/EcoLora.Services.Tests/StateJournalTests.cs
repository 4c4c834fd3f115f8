using System.Text;
using EcoLora.Federation;
using EcoLora.Messaging;
using EcoLora.Services.Scheduler;
using EcoLora.TestKit;

namespace EcoLora.Services.Tests;

public sealed class StateJournalTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly FolderStateStore _store;
    private readonly StateJournal _journal;

    public StateJournalTests()
    {
        _store = new FolderStateStore(new DurableFolder(_folder.Path));
        _journal = new StateJournal(_store, "run-1");
    }

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public void Dispose()
    {
        _journal.Dispose();
        _folder.Dispose();
    }

    [Fact]
    public async Task What_is_appended_is_read_from_any_number_on()
    {
        Assert.Empty(await _journal.ReadAsync(0, Cancellation));
        for (int i = 0; i < 3; i++) Assert.True(await _journal.TryAppendAsync(i, Entry(i), Cancellation));
        Assert.Equal([Entry(0), Entry(1), Entry(2)], await _journal.ReadAsync(0, Cancellation));
        Assert.Equal([Entry(2)], await _journal.ReadAsync(2, Cancellation));
        Assert.Empty(await _journal.ReadAsync(3, Cancellation));
        using var other = new StateJournal(_store, "run-2");
        Assert.Empty(await other.ReadAsync(0, Cancellation));
    }

    [Fact]
    public async Task A_number_that_is_taken_keeps_its_entry()
    {
        Assert.True(await _journal.TryAppendAsync(0, Entry(0), Cancellation));
        Assert.False(await _journal.TryAppendAsync(0, Entry(1), Cancellation));
        Assert.Equal([Entry(0)], await _journal.ReadAsync(0, Cancellation));
    }

    [Fact]
    public async Task An_entry_that_is_written_again_is_the_one_that_is_there()
    {
        Assert.True(await _journal.TryAppendAsync(0, Entry(0), Cancellation));
        Assert.True(await _journal.TryAppendAsync(0, Entry(0), Cancellation));
        Assert.Equal([Entry(0)], await _journal.ReadAsync(0, Cancellation));
    }

    [Theory]
    [InlineData(99)]
    [InlineData(100)]
    [InlineData(101)]
    [InlineData(200)]
    [InlineData(250)]
    public async Task A_long_journal_is_read_whole(int entries)
    {
        for (int i = 0; i < entries; i++) Assert.True(await _journal.TryAppendAsync(i, Entry(i), Cancellation));
        Assert.Equal(Enumerable.Range(0, entries).Select(Entry), await _journal.ReadAsync(0, Cancellation));
        Assert.Equal(Enumerable.Range(37, entries - 37).Select(Entry), await _journal.ReadAsync(37, Cancellation));
    }

    [Fact]
    public async Task Of_many_that_append_at_once_one_gets_each_number()
    {
        int[] winners = await Task.WhenAll(Enumerable.Range(0, 20).Select(number => Task.Run(async () =>
        {
            bool[] won = await Task.WhenAll(Enumerable.Range(0, 4).Select(who => _journal.TryAppendAsync(number, Entry(10 * number + who), Cancellation)));
            return won.Count(one => one);
        })));
        Assert.All(winners, count => Assert.Equal(1, count));
        Assert.Equal(20, (await _journal.ReadAsync(0, Cancellation)).Count);
    }

    [Theory]
    [InlineData("null")]
    [InlineData("{}")]
    [InlineData("""{"entry":"unheard-of"}""")]
    [InlineData("not json")]
    public async Task What_is_no_entry_is_named(string text)
    {
        Assert.True(await _journal.TryAppendAsync(0, Entry(0), Cancellation));
        Assert.True(await _store.TryWriteAsync("journal.run-1.00000001", Encoding.UTF8.GetBytes(text), null, Cancellation));
        string message = (await Assert.ThrowsAsync<StateFileException>(() => _journal.ReadAsync(0, Cancellation))).Message;
        Assert.Contains("journal of run-1 from 0 line 2", message, StringComparison.Ordinal);
    }

    private static JournalEntry Entry(int number) => new Heard(new SiteUpdated("run-1", 0, number, 90), number);
}
