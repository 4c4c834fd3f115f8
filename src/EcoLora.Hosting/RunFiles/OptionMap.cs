using EcoLora.Training;

namespace EcoLora.Hosting;

/// <summary>A run file's sections as the engine's options.</summary>
public static class OptionMap
{
    /// <summary>Section <c>lora</c>.</summary>
    public static Training.LoraOptions LoraOf(LoraOptions lora) =>
        new(lora.Rank, lora.Alpha, Training.LoraOptions.ParseTargets(lora.Targets), lora.Dropout, lora.Rslora);

    /// <summary>Section <c>training</c>.</summary>
    public static Training.TrainingOptions TrainingOf(TrainingOptions training) => new()
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
