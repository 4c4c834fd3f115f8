using System.Diagnostics;
using System.Text.Json.Nodes;
using EcoLora.Hosting;
using EcoLora.Numerics;
using EcoLora.Services.Trainer;
using EcoLora.Training;

namespace EcoLora.Local.Bench;

/// <summary>One of our engines on one case, in a process that does nothing else, so that its peak memory is the case's.</summary>
internal static class TrainWorker
{
    /// <summary>Trains and returns the best step's seconds, the first step's loss and the process's peak memory.</summary>
    /// <param name="case">The case.</param>
    /// <param name="engine">The engine.</param>
    /// <param name="cancellation">Ends it between layers.</param>
    public static JsonObject Run(TrainCase @case, EngineOptions engine, CancellationToken cancellation)
    {
        LlamaModel model = @case.Shape.Model();
        var trainer = new LocalTrainer(model, TrainShape.Lora, new ComputeOptions(@case.Threads, @case.Recomputes), ModelBackends.Of(engine, @case.Threads));
        float[] adapter = new float[trainer.Layout.Length];
        var stream = new RandomStream(1, "adapter");
        foreach (Codec.LoraTensor tensor in trainer.Layout.Tensors)
            if (tensor.Role == Codec.LoraRole.A)
                foreach (ref float entry in tensor.In(adapter.AsSpan())) entry = (float)(stream.NextGaussian() * 0.02);
        int prompt = 1 + @case.Length - (int)Math.Round(@case.Length * @case.Labels);
        Example[] examples =
        [
            .. Enumerable.Range(0, @case.Sequences).Select(_ =>
                new Example([.. Enumerable.Range(0, @case.Length + 1).Select(_ => stream.NextInt32(model.Config.Vocabulary))], prompt, "", "")),
        ];
        var options = new Training.TrainingOptions { Steps = 1 + @case.Steps, BatchSize = @case.Sequences, LearningRate = 1e-4 };
        double best = double.PositiveInfinity, loss = double.NaN;
        long started = Stopwatch.GetTimestamp();
        trainer.Train(adapter, examples, options, new RandomStream(1, "job"), Timed, cancellation);
        return new JsonObject { ["best_s"] = best, ["loss"] = loss, ["peak_kib"] = Process.GetCurrentProcess().PeakWorkingSet64 >> 10 };

        void Timed(TrainingStep step)
        {
            double seconds = Stopwatch.GetElapsedTime(started).TotalSeconds;
            if (step.Step == 1) loss = step.Loss;
            else best = Math.Min(best, seconds);
            started = Stopwatch.GetTimestamp();
        }
    }
}
