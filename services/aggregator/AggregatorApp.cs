using EcoLora.Federation;
using EcoLora.Hosting;
using EcoLora.Messaging;

namespace EcoLora.Services.Aggregator;

/// <summary>The aggregator as a service of its own.</summary>
public static class AggregatorApp
{
    /// <summary>Reads the settings.</summary>
    public static ServiceDefinition Define(ServiceVariables variables) => new(AppIds.Aggregator, 5101, OwnsVolume: true, context =>
    {
        var aggregator = new AggregatorService(context.Bus, context.Store, context.Volume, (plan, outcome, chain) =>
        {
            RunFile file = AnnouncedOptions.Read(AnnouncedOptions.Of(plan));
            DurableFolder folder = context.Volume.Folder(plan.Run);
            AdapterExport.Write(folder, plan, file, outcome, chain);
            context.Log.Say($"run {plan.Run}: adapter written to {folder.FileAt("adapter")}");
        })
        {
            Refused = context.Refused,
        };
        Func<byte[], byte[]>? sign = context.Trust is { } trust ? change => SignedMessage.Write(Topics.Global, change, trust.Key, trust.Hub.Id) : null;
        return new RunningService(aggregator, Map: endpoints =>
        {
            endpoints.MapGet("/runs/{run}/changes/{round:int}", async (HttpContext http, string run, int round, int offset) =>
                !RunPlan.IsName(run) ? NoName(run)
                : await aggregator.ChangeAsync(run, round, sign, CancellationToken.None) is { } change ? ChunkedContent.Piece(http, change, offset)
                : Results.NoContent());
            endpoints.MapGet("/runs/{run}/exports", (string run) => RunPlan.IsName(run) ? Results.Json(Files(run), AggregatorJson.Default.IReadOnlyListExportedFile) : NoName(run));
            endpoints.MapGet("/runs/{run}/exports/{**file}", (HttpContext http, string run, string file, int offset) =>
                !RunPlan.IsName(run) ? NoName(run)
                : Files(run).Any(known => known.Name == file) ? ChunkedContent.Piece(http, Path.Combine(context.Volume.FileAt(run), file), offset)
                : Answers.Unknown($"run {run}: expected a file of its exports, found no '{file}'"));
        });

        // Only what is there can be asked for, so that no name leads elsewhere.
        IReadOnlyList<ExportedFile> Files(string run) => AdapterExport.Files(context.Volume.FileAt(run));

        static IResult NoName(string run) => Answers.Bad($"run: expected {RunPlan.NameRule}, found '{run}'");
    })
    {
        ReadSiteKeys = ServiceTrust.AskForSiteKeysAsync,
    };
}
