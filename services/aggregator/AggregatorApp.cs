using EcoLora.Federation;
using EcoLora.Hosting;

namespace EcoLora.Services.Aggregator;

/// <summary>The aggregator as a service of its own.</summary>
public static class AggregatorApp
{
    /// <summary>Reads the settings.</summary>
    public static ServiceDefinition Define(ServiceVariables variables) => new(AppIds.Aggregator, 5101, OwnsVolume: true, context =>
    {
        var aggregator = new AggregatorService(context.Bus, context.Store, context.Volume, (plan, adapter) =>
        {
            RunFile file = AnnouncedOptions.Read(AnnouncedOptions.Of(plan));
            string folder = context.Volume.Folder(plan.Run).FileAt("adapter");
            AdapterExport.ToPeft(plan.AdapterLayout(), adapter, file.Lora, file.Model!).Write(folder);
            context.Log.Say($"run {plan.Run}: adapter written to {folder}");
        });
        return new RunningService(aggregator, () => aggregator.Refused, Map: endpoints =>
            endpoints.MapGet("/runs/{run}/changes/{round:int}", async (HttpContext http, string run, int round, int offset) =>
                !RunPlan.IsName(run) ? Answers.Bad($"run: expected {RunPlan.NameRule}, found '{run}'")
                : await aggregator.ChangeAsync(run, round, CancellationToken.None) is { } change ? ChunkedContent.Piece(http, change, offset)
                : Results.NoContent()));
    });
}
