using System.Text.Json.Serialization;
using EcoLora.Codec;
using EcoLora.Federation;
using EcoLora.Messaging;

namespace EcoLora.Services.Trainer;

/// <summary>P_i^τ: a client's adapter at the end of its last round.</summary>
/// <param name="Round">τ.</param>
/// <param name="Loss">The loss that it measured.</param>
/// <param name="MixingWeight">m with which its start was mixed.</param>
/// <param name="Values">The exchanged vector.</param>
internal sealed record LocalAdapter(int Round, double Loss, double MixingWeight, float[] Values);

/// <summary>One run at a trainer; durable: the last local adapter of each client (<c>local-client.bin</c>).</summary>
internal sealed class TrainedRun
{
    private readonly DurableFolder _folder;
    private readonly FederatedMethod _method;

    public TrainedRun(RunPlan plan, DurableFolder folder)
    {
        plan.Validate();
        (Plan, _folder, _method, Layout) = (plan, folder, plan.FederatedMethod, plan.AdapterLayout());
    }

    public RunPlan Plan { get; }

    /// <summary>Layout of the whole adapter.</summary>
    public LoraLayout Layout { get; }

    public float[] Whole(ReadOnlySpan<float> exchanged) => _method.WholeAdapter(Layout, Plan.Seed, exchanged);

    public float[] Exchanged(ReadOnlySpan<float> whole) => _method.Exchanged(Layout, whole);

    public LocalAdapter? ReadLocal(int client) =>
        VectorFile.TryRead(_folder, LocalFile(client), TrainerJson.Default.LocalHeader, out LocalHeader header, out float[][] vectors)
            ? new LocalAdapter(header.Round, header.Loss, header.MixingWeight, vectors[0])
            : null;

    public void WriteLocal(int client, LocalAdapter local)
    {
        var header = new LocalHeader(local.Round, local.Loss, local.MixingWeight);
        VectorFile.Write(_folder, LocalFile(client), header, TrainerJson.Default.LocalHeader, local.Values);
    }

    private static string LocalFile(int client) => $"local-{client:d5}.bin";
}

/// <summary>Header of a local adapter; its vector is the exchanged one.</summary>
internal sealed record LocalHeader(int Round, double Loss, double MixingWeight);

/// <summary>The JSON of the trainer's state files.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(LocalHeader))]
internal sealed partial class TrainerJson : JsonSerializerContext;
