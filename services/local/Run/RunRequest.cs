using EcoLora.Hosting;

namespace EcoLora.Local;

/// <summary>What <c>ecolora run</c> was asked to do.</summary>
/// <param name="File">The run file with everything that the command line changes in it: model, adapter, data, threads and every <c>--set</c>.</param>
/// <param name="Folder">Full path of the folder for what comes out: <c>--out</c>, else <c>runs/name</c> in the present folder.</param>
/// <param name="Resume">Go on with the run that the folder holds.</param>
/// <param name="Force">Replace what the folder holds.</param>
/// <param name="Replay">Full path of a decision journal whose decisions are taken again, or null.</param>
/// <param name="Json">Print the final comparison as JSON.</param>
/// <param name="KeepUpdates">Keep every accepted change before sparsification in the folder.</param>
public sealed record RunRequest(RunFile File, string Folder, bool Resume, bool Force, string? Replay, bool Json, bool KeepUpdates);

/// <summary>Makes a run.</summary>
/// <param name="request">What to run.</param>
/// <param name="cancellation">Ctrl-C or SIGTERM: stop at the next durable point.</param>
/// <returns>One of <see cref="ExitCodes"/>; failures are exceptions.</returns>
public delegate Task<int> RunHandler(RunRequest request, CancellationToken cancellation);
