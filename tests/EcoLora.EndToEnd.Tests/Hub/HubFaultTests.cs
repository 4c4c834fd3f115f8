using System.Globalization;
using EcoLora.Hosting;
using EcoLora.TestKit;

namespace EcoLora.EndToEnd.Tests.Hub;

/// <summary>
/// Seeded schedules of kills, on sidecars that delay, repeat, reorder and refuse messages on a seed: every run ends with the bytes of the undisturbed run in one
/// process, or, of one with a deadline, of a replay of its own journal. ECOLORA_FAULT_SCHEDULES asks for more of them, ECOLORA_FAULT_SEED for others: bench/fault-schedules.sh.
/// </summary>
public abstract class HubFaultTests(HubBroker broker)
{
    private static readonly string[] _deadline = ["federation.deadline=1", "federation.over_sampling=0.5"];

    [Fact]
    public async Task Whatever_is_killed_the_adapter_is_the_same()
    {
        int schedules = Number("ECOLORA_FAULT_SCHEDULES", 20) / 2;
        ulong first = (ulong)Number("ECOLORA_FAULT_SEED", 1) + (broker == HubBroker.RabbitMq ? 1_000_000UL : 0);
        using var folder = new TemporaryFolder();
        string file = RealRun.File(folder);
        await using HubCluster hub = await HubCluster.StartAsync(broker, app =>
        [
            "--seed", string.Create(CultureInfo.InvariantCulture, $"{first + (ulong)app}"),
            "--fault-delay-rate", "0.1", "--fault-delay-ms", "100", "--fault-duplicate-rate", "0.1", "--fault-reorder-rate", "0.1", "--fault-refuse-rate", "0.05",
        ], [("OTEL_SDK_DISABLED", "true")]); // Dozens of processes would spend a third of their short lives on getting ready to measure.
        int strikes = 0;
        for (ulong seed = first; seed < first + (ulong)schedules; seed++)
        {
            var clock = System.Diagnostics.Stopwatch.StartNew();
            var schedule = new FaultSchedule(seed, hub);
            string run = $"small-{seed}";
            // One of ten has frames and vectors of many pieces.
            bool isLarge = seed % 10 == 3, hasDeadline = seed % 10 == 7;
            string[] options = [$"name={run}", .. isLarge ? RealRun.Larger : hasDeadline ? _deadline : []];
            await hub.SubmitAsync(RunFile.Read(file, options.Select(OptionOverride.Parse)));
            try
            {
                strikes += await schedule.StrikeAsync(hub, run);
                await hub.WaitUntilReadyAsync();
                await hub.WaitUntilFinishedAsync(run, HubRunTests.Limit);
            }
            catch (Exception failure)
            {
                throw new InvalidOperationException($"schedule {seed} ({schedule}): {failure.Message}", failure);
            }
            SortedDictionary<string, string> expected =
                hasDeadline ? await ReplayAsync(hub, run, file, folder, options) : await RealRun.AdapterAsync(isLarge ? RealRun.Larger : []);
            bool isSame = expected.SequenceEqual(hub.Adapter(run));
            Assert.True(isSame, $"schedule {seed} ({schedule}) ends with another adapter");
            TestContext.Current.TestOutputHelper?.WriteLine(string.Create(CultureInfo.InvariantCulture, $"schedule {seed}: {clock.Elapsed.TotalSeconds:f1} s: {schedule}"));
        }
        // Three strikes a schedule, of which a few come too late.
        Assert.InRange(strikes, 2 * schedules, 3 * schedules);
    }

    /// <summary>Follows the run's journal in one process.</summary>
    /// <returns>The adapter's files.</returns>
    private static async Task<SortedDictionary<string, string>> ReplayAsync(HubCluster hub, string run, string file, TemporaryFolder folder, string[] options)
    {
        string journal = folder[$"{run}.jsonl"];
        await File.WriteAllBytesAsync(journal, await hub["scheduler"].Client.GetByteArrayAsync($"/runs/{run}/journal", TestContext.Current.CancellationToken), TestContext.Current.CancellationToken);
        await RealRun.SucceedAsync([file, "--out", folder[run], "--replay", journal, "--set", "baselines=[]", .. options.SelectMany(option => new[] { "--set", option })]);
        return HubCluster.AdapterIn(folder[$"{run}/adapter"]);
    }

    private static int Number(string variable, int fallback) =>
        int.TryParse(Environment.GetEnvironmentVariable(variable), NumberStyles.None, CultureInfo.InvariantCulture, out int number) ? number : fallback;
}

/// <summary>Over Redis Streams.</summary>
public sealed class HubFaultsOverRedis() : HubFaultTests(HubBroker.Redis);

/// <summary>Over RabbitMQ.</summary>
public sealed class HubFaultsOverRabbit() : HubFaultTests(HubBroker.RabbitMq);
