using System.Diagnostics;

namespace EcoLora.DaprTestKit;

/// <summary>
/// Processes that live for seconds, a dozen beside each other on two cores. Compiling their methods again, to run faster later, took half of the processors'
/// time of a test: the runtime puts it off until nothing new has run for five seconds.
/// </summary>
public static class ShortLived
{
    /// <summary>Tells the runtime of the process to come.</summary>
    public static void Prepare(ProcessStartInfo start)
    {
        start.Environment["DOTNET_gcServer"] = "0";
        start.Environment["DOTNET_TieredPGO"] = "0";
        start.Environment["DOTNET_EnableWriteXorExecute"] = "0";
        start.Environment["DOTNET_TC_CallCountingDelayMs"] = "5000";
    }
}
