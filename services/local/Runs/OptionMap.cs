using EcoLora.Training;

namespace EcoLora.Local.Runs;

/// <summary>A run file's sections as the engine's options.</summary>
public static class OptionMap
{
    /// <summary>Section <c>lora</c>.</summary>
    public static LoraOptions LoraOf(Hosting.LoraOptions lora) =>
        new(lora.Rank, lora.Alpha, LoraOptions.ParseTargets(lora.Targets), lora.Dropout, lora.Rslora);

    /// <summary>Section <c>training</c>.</summary>
    public static TrainingOptions TrainingOf(Hosting.TrainingOptions training) => new()
    {
        Steps = training.Steps,
        Epochs = training.Epochs ?? 1,
        BatchSize = training.BatchSize,
        LearningRate = training.LearningRate,
        Schedule = training.Schedule == "cosine" ? LearningRateSchedule.Cosine : LearningRateSchedule.Constant,
        WarmupSteps = training.WarmupSteps,
        WeightDecay = training.WeightDecay,
        Beta1 = training.Beta1,
        Beta2 = training.Beta2,
        Epsilon = training.Epsilon,
        ClipNorm = training.ClipNorm ?? 0,
    };
}
