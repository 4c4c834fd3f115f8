namespace EcoLora.Messaging;

/// <summary>A message as it lies on a broker.</summary>
/// <param name="Topic">Its topic.</param>
/// <param name="KeyBytes">Bytes of its key.</param>
/// <param name="HeaderBytes">Bytes of all else that whoever published it has put beside the payload: headers, or the other members of an entry.</param>
/// <param name="Payload">The payload: what a bus published, with signature and part header.</param>
public sealed record StoredMessage(string Topic, int KeyBytes, int HeaderBytes, ReadOnlyMemory<byte> Payload);
