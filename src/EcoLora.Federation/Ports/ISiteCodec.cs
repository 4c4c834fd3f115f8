namespace EcoLora.Federation;

/// <summary>
/// What a trainer asks of the codec of its site. Dense numbers cross only this port, inside the site; a broker never sees them.
/// </summary>
public interface ISiteCodec
{
    /// <summary>Q^version of the exchanged vector, or ΔW^version where a method merges into the base, which is as large as the layers that carry LoRA; waits until the site has received that version.</summary>
    /// <param name="run">The run's name.</param>
    /// <param name="version">The version that a round starts from.</param>
    /// <param name="client">The participant that trains from it; null for an evaluation.</param>
    /// <param name="cancellation">Ends the wait.</param>
    /// <exception cref="VersionPassedException">The site is past that version: the round is over.</exception>
    Task<ReadOnlyMemory<float>> GetPublishedAsync(string run, int version, int? client, CancellationToken cancellation);

    /// <summary>
    /// Takes a participant's trained adapter, makes its segment's frame and publishes it; returns when frame and residual are durable. Submitting the
    /// same round and client again publishes the same frame again. With a deadline an update whose round is closed becomes residual instead.
    /// </summary>
    /// <param name="run">The run's name.</param>
    /// <param name="update">The update.</param>
    /// <param name="cancellation">Ends the wait for the round's opening message.</param>
    Task SubmitAsync(string run, LocalUpdate update, CancellationToken cancellation);
}

/// <summary>A participant's result of local training.</summary>
/// <param name="Round">t.</param>
/// <param name="Client">Number of the client.</param>
/// <param name="MixingWeight">m with which its start was mixed; ρ follows from it.</param>
/// <param name="Adapter">P_i, the exchanged vector after training.</param>
public sealed record LocalUpdate(int Round, int Client, double MixingWeight, ReadOnlyMemory<float> Adapter);

/// <summary>A version of the published adapter that a site no longer holds.</summary>
/// <param name="run">The run's name.</param>
/// <param name="asked">The version that was asked for.</param>
/// <param name="held">The version that the site holds.</param>
public sealed class VersionPassedException(string run, int asked, int held) : Exception($"run {run}: version {asked} was asked for, the site is at {held}");
