using System.Text.Json;
using EcoLora.Federation;
using EcoLora.Hosting;

namespace EcoLora.Services.Trainer;

/// <summary>Models and data of the runs that a trainer has part in; those of the last two runs stay in memory.</summary>
/// <param name="models">Folders of models by name.</param>
/// <param name="data">Files of records by name.</param>
/// <param name="hosts">The clients that are here.</param>
/// <param name="threads">The machine's threads.</param>
/// <param name="recomputesLayers">Whether training runs layers again instead of keeping them.</param>
/// <param name="device">TorchSharp's device here.</param>
internal sealed class RunInputs(
    IReadOnlyDictionary<string, string> models, IReadOnlyDictionary<string, string> data, Func<int, bool> hosts, int threads, bool recomputesLayers, string device)
{
    private const int Most = 2;

    private readonly Lock _lock = new();
    private readonly List<(string Run, JsonElement Options, RunInput Input, ModelEngine Engine)> _loaded = [];

    /// <summary>Loads what a run file's options name.</summary>
    /// <exception cref="FormatException">A file is not what it should be.</exception>
    /// <exception cref="OptionsException">The options name something that is not here.</exception>
    /// <exception cref="ArgumentException">An option does not fit the model or the data.</exception>
    public RunInput Load(string run, JsonElement options) => Find(run, options).Input;

    /// <summary>The engine of a run whose clients still have the samples that they enrolled with.</summary>
    /// <exception cref="RosterChangedException">One of them has not.</exception>
    public ModelEngine EngineOf(RunPlan plan)
    {
        (RunInput input, ModelEngine engine) = Find(plan.Run, AnnouncedOptions.Of(plan));
        foreach (Enrolment enrolment in plan.Roster.Where(enrolment => hosts(enrolment.Client)))
        {
            int samples = input.Data.Clients[enrolment.Client].Count;
            if (samples != enrolment.Samples) throw new RosterChangedException(plan.Run, enrolment, samples);
        }
        return engine;
    }

    private (RunInput Input, ModelEngine Engine) Find(string run, JsonElement options)
    {
        // One load at a time: two would need the memory twice.
        lock (_lock)
        {
            int index = _loaded.FindIndex(loaded => loaded.Run == run && JsonElement.DeepEquals(loaded.Options, options));
            (string, JsonElement, RunInput Input, ModelEngine Engine) found;
            if (index >= 0)
            {
                found = _loaded[index];
                _loaded.RemoveAt(index);
            }
            else
            {
                var input = RunInput.Load(AnnouncedOptions.Read(options, models, data, hosts), hosts);
                found = (run, options, input, input.Engine(threads, recomputesLayers, device));
                if (_loaded.Count == Most) _loaded.RemoveAt(0);
            }
            _loaded.Add(found);
            return (found.Input, found.Engine);
        }
    }
}

/// <summary>Data that changed under a run: its weights were fixed at enrolment.</summary>
/// <param name="run">The run.</param>
/// <param name="enrolment">As it enrolled.</param>
/// <param name="samples">What is there now.</param>
public sealed class RosterChangedException(string run, Enrolment enrolment, int samples)
    : FormatException($"run {run}: client {enrolment.Client}: expected the {enrolment.Samples} training records that it enrolled with, found {samples}");
