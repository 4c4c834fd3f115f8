using System.Runtime.InteropServices;

namespace EcoLora.Services.Codec;

/// <summary>
/// Trained adapters that trainers are handing over piece by piece. One per client, in memory only: a trainer whose codec forgot one begins anew. Its size follows from
/// the run's layout and its client is a participant, so that callers choose neither.
/// </summary>
internal sealed class UpdateUploads
{
    private readonly Dictionary<(string Run, int Client), Upload> _uploads = [];
    private readonly Lock _lock = new();

    /// <summary>Takes a piece.</summary>
    /// <param name="run">The run.</param>
    /// <param name="round">The round.</param>
    /// <param name="client">A participant of the round.</param>
    /// <param name="length">Entries of the whole.</param>
    /// <param name="offset">Where the piece begins, in bytes; 0 begins anew.</param>
    /// <param name="piece">The piece.</param>
    /// <returns>False when the pieces before are not here, or the piece does not fit: nothing changed.</returns>
    public bool Add(string run, int round, int client, int length, int offset, ReadOnlySpan<byte> piece)
    {
        lock (_lock)
        {
            if (offset < 0 || piece.Length > 4L * length - offset) return false;
            Upload? upload = _uploads.GetValueOrDefault((run, client));
            if (offset == 0) _uploads[(run, client)] = upload = new Upload(round, new float[length]);
            if (upload is null || upload.Round != round || upload.Received < offset) return false;
            piece.CopyTo(MemoryMarshal.AsBytes(upload.Values.AsSpan())[offset..]);
            // A piece whose answer was lost comes again.
            upload.Received = Math.Max(upload.Received, offset + piece.Length);
            return true;
        }
    }

    /// <summary>The whole, or null while pieces are missing.</summary>
    public float[]? Whole(string run, int round, int client)
    {
        lock (_lock)
            return _uploads.TryGetValue((run, client), out Upload? upload) && upload.Round == round && upload.Received == 4L * upload.Values.Length ? upload.Values : null;
    }

    /// <summary>Forgets a client's pieces up to a round.</summary>
    public void Forget(string run, int round, int client)
    {
        lock (_lock)
            if (_uploads.TryGetValue((run, client), out Upload? upload) && upload.Round <= round) _uploads.Remove((run, client));
    }

    private sealed class Upload(int round, float[] values)
    {
        public int Round { get; } = round;

        public float[] Values { get; } = values;

        public int Received { get; set; }
    }
}
