namespace EcoLora.Codec;

/// <summary>How kept values are written. A value is its code's magnitude m with a sign; what a code stands for is in FORMAT.md.</summary>
public enum ValueMode : byte
{
    /// <summary>IEEE binary32, as it is.</summary>
    Fp32 = 0,

    /// <summary>IEEE binary16 of the value times a power of two per role (the paper's 16 bits, sign included).</summary>
    Fp16 = 1,

    /// <summary>The upper 16 bits of binary32, rounded to nearest even.</summary>
    Bf16 = 2,

    /// <summary>±1 to ±127 steps, one step per tensor; what is below two thirds of a step is not sent.</summary>
    Int8 = 3,

    /// <summary>±1 to ±7 steps, one step per tensor; what is below two thirds of a step is not sent.</summary>
    Int4 = 4,

    /// <summary>The sign; its magnitude is the mean of the tensor's kept magnitudes.</summary>
    Sign = 5,
}

/// <summary>Which lossless forms a writer may choose from; a reader takes any.</summary>
public enum LosslessCoding : byte
{
    /// <summary>The smallest: entropy-coded positions and values, or plain ones where that is less.</summary>
    Entropy = 0,

    /// <summary>The paper's: Golomb-coded positions, values as they are; with all entries kept, plain values without positions.</summary>
    Golomb = 1,
}

/// <summary>How a segment is compressed.</summary>
/// <param name="KeepA">Kept fraction k of the segment's A entries, in (0, 1].</param>
/// <param name="KeepB">Kept fraction k of the segment's B entries, in (0, 1].</param>
/// <param name="Values">How kept values are written.</param>
/// <param name="Coding">How positions and values are coded.</param>
public sealed record Compression(double KeepA, double KeepB, ValueMode Values, LosslessCoding Coding = LosslessCoding.Entropy);

/// <summary>Where the codec runs. It changes no byte and no value.</summary>
/// <param name="Threads">Most threads that code chunks; 0 for one per core.</param>
/// <param name="Path">Code path of the kernels.</param>
public readonly record struct CodecExecution(int Threads = 0, Numerics.SimdPath Path = Numerics.SimdPath.Fastest);
