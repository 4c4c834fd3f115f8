using EcoLora.Codec;

namespace EcoLora.Services.Codec;

/// <summary>What a participant wanted to send in a round whose frame was accepted: ρR + Δ of its segment, before sparsification.</summary>
/// <param name="Round">t.</param>
/// <param name="Client">Number of the client.</param>
/// <param name="Segment">s.</param>
/// <param name="Segments">N_s.</param>
/// <param name="Layout">Layout of the exchanged vector, whose segment the values are.</param>
/// <param name="Values">[segment].</param>
public sealed record AcceptedChange(int Round, int Client, int Segment, int Segments, LoraLayout Layout, ReadOnlyMemory<float> Values);
