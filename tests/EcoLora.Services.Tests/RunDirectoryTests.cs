using System.Text.Json;
using EcoLora.Messaging;
using EcoLora.Services.Scheduler;
using EcoLora.TestKit;

namespace EcoLora.Services.Tests;

public sealed class RunDirectoryTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly FolderStateStore _store;
    private readonly RunDirectory _directory;

    public RunDirectoryTests()
    {
        _store = new FolderStateStore(new DurableFolder(_folder.Path));
        _directory = new RunDirectory(_store);
    }

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Runs_are_listed_in_the_order_of_submission()
    {
        Assert.Empty(await _directory.ListAsync(Cancellation));
        foreach (string name in new[] { "b", "a", "c" }) Assert.True(await _directory.TryAddAsync(Run(name), Cancellation));
        Assert.Equal(["b", "a", "c"], await NamesAsync());
        Assert.Equal(["b", "a", "c"], (await new RunDirectory(_store).ListAsync(Cancellation)).Select(run => run.Name));
    }

    [Fact]
    public async Task A_run_is_found_as_it_was_submitted()
    {
        Assert.Null(await _directory.FindAsync("a", Cancellation));
        await _directory.TryAddAsync(Run("a", 0.1 + 0.2), Cancellation);
        SubmittedRun found = (await _directory.FindAsync("a", Cancellation))!;
        Assert.Equal("a", found.Name);
        Assert.Equal(Run("a", 0.1 + 0.2).Options.GetRawText(), found.Options.GetRawText());
        Assert.Null(await _directory.FindAsync("b", Cancellation));
    }

    [Fact]
    public async Task A_run_that_is_added_again_changes_nothing()
    {
        for (int i = 0; i < 2; i++)
            foreach (string name in new[] { "a", "b" })
                Assert.True(await _directory.TryAddAsync(Run(name), Cancellation));
        Assert.Equal(["a", "b"], await NamesAsync());
    }

    [Fact]
    public async Task Another_run_of_a_name_is_refused()
    {
        Assert.True(await _directory.TryAddAsync(Run("a", 1), Cancellation));
        Assert.False(await _directory.TryAddAsync(Run("a", 2), Cancellation));
        Assert.Equal(Run("a", 1).Options.GetRawText(), (await _directory.FindAsync("a", Cancellation))!.Options.GetRawText());
        Assert.Equal(["a"], await NamesAsync());
    }

    [Theory]
    [InlineData("a", 1, true)] // The same run, submitted to both.
    [InlineData("a", 2, false)] // Another one of the same name.
    [InlineData("b", 1, true)] // Another run.
    public async Task Of_two_directories_that_add_at_once_both_learn_what_the_other_wrote(string other, double seed, bool isAdded)
    {
        var overtaken = new RunDirectory(new OvertakenStore(_store, () => _directory.TryAddAsync(Run(other, seed), Cancellation)));
        Assert.Equal(isAdded, await overtaken.TryAddAsync(Run("a", 1), Cancellation));
        Assert.Equal(other == "a" ? ["a"] : ["b", "a"], await NamesAsync());
        Assert.Equal(Run("a", other == "a" ? seed : 1).Options.GetRawText(), (await _directory.FindAsync("a", Cancellation))!.Options.GetRawText());
    }

    [Fact]
    public async Task A_list_that_grew_between_reading_and_writing_is_read_again()
    {
        var overtaken = new OvertakenStore(_store, () => _directory.TryAddAsync(Run("b"), Cancellation)) { Key = "runs" };
        Assert.True(await new RunDirectory(overtaken).TryAddAsync(Run("a"), Cancellation));
        Assert.Equal(["b", "a"], await NamesAsync());
    }

    [Fact]
    public async Task A_run_whose_adding_stopped_halfway_is_listed_when_it_is_added_again()
    {
        await _directory.TryAddAsync(Run("a"), Cancellation);
        await _store.DeleteAsync("runs", Cancellation);
        Assert.Empty(await _directory.ListAsync(Cancellation));
        Assert.True(await _directory.TryAddAsync(Run("a"), Cancellation));
        Assert.Equal(["a"], await NamesAsync());
    }

    private async Task<IEnumerable<string>> NamesAsync() => (await _directory.ListAsync(Cancellation)).Select(run => run.Name);

    private static SubmittedRun Run(string name, double seed = 1) => new(name, JsonSerializer.SerializeToElement(new { name, seed }));
}
