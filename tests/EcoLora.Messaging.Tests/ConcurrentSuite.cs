using System.Reflection;
using EcoLora.DaprTestKit;

namespace EcoLora.Messaging.Tests;

/// <summary>
/// The cases of <see cref="MessageBusConformance"/>, some of them beside each other: each waits three seconds for the first member of its group, and xunit runs the tests of
/// a class one after the other. The first that is asked for starts them all.
/// </summary>
public sealed class ConcurrentSuite
{
    private const int AtOnce = 6;

    private readonly Lazy<Dictionary<string, Task>> _runs;

    /// <param name="make">Makes an instance of the suite for each case.</param>
    public ConcurrentSuite(Func<MessageBusConformance> make) => _runs = new Lazy<Dictionary<string, Task>>(() =>
    {
        var places = new SemaphoreSlim(AtOnce);
        // The context of the test that asks first ends before most cases do.
        using AsyncFlowControl own = ExecutionContext.SuppressFlow();
        return Cases().ToDictionary(each => each.Name, each => Task.Run(async () =>
        {
            await places.WaitAsync();
            try
            {
                await using MessageBusConformance suite = make();
                await (Task)each.Method.Invoke(suite, each.Arguments)!;
            }
            finally
            {
                places.Release();
            }
        }));
    });

    /// <summary>Names of the cases.</summary>
    public static TheoryData<string> Names => [.. Cases().Select(each => each.Name)];

    /// <summary>Ends as the case does.</summary>
    public Task EndOf(string name)
    {
        Assert.SkipUnless(MockKafka.IsInstalled, MockKafka.SkipReason);
        return _runs.Value[name];
    }

    private static IEnumerable<(string Name, MethodInfo Method, object[]? Arguments)> Cases()
    {
        foreach (MethodInfo method in typeof(MessageBusConformance).GetMethods().Where(method => method.GetCustomAttribute<FactAttribute>() is not null))
        {
            if (method.GetParameters().Length == 0)
            {
                yield return (method.Name, method, null);
                continue;
            }
            foreach (TheoryDataRow<int> size in MessageBusConformance.Sizes) yield return ($"{method.Name}({size.Data})", method, [size.Data]);
        }
    }
}
