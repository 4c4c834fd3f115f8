namespace EcoLora.Messaging;

/// <summary>What a store of parts may take.</summary>
/// <param name="Bytes">Most bytes of incomplete messages; at least four of the largest parts. One signer may take half of them, so that none can keep all others out.</param>
/// <param name="Age">How long an incomplete message waits for its next part.</param>
public sealed record PartLimits(long Bytes, TimeSpan Age)
{
    /// <summary>256 MiB and an hour.</summary>
    public static PartLimits Default { get; } = new(256L << 20, TimeSpan.FromHours(1));
}

/// <summary>
/// Puts messages together that came in parts. A part is durable before it is acknowledged, so a crash between two of them loses nothing. Memory and disk are
/// bounded: what a part says of its message's length allocates nothing, and messages that stay incomplete are forgotten.
/// </summary>
/// <param name="folder">Where parts lie until their message is complete and handled; nobody else uses it.</param>
/// <param name="limits">Limits.</param>
/// <param name="clock">Says how long a message has waited.</param>
public sealed class PartStore(DurableFolder folder, PartLimits limits, TimeProvider clock)
{
    private const string Suffix = ".part";
    private const int MostRemembered = 4096;

    private readonly Lock _lock = new();
    private readonly Dictionary<PartedMessage, Waiting> _waiting = [];
    private readonly HashSet<PartedMessage> _handled = [];
    private readonly Queue<PartedMessage> _handledInOrder = new();
    private readonly Dictionary<string, long> _bytesOf = [];
    private long _bytes;
    private bool _isRead;

    /// <summary>Messages that were forgotten because a part did not come in time.</summary>
    public long Expired { get; private set; }

    /// <summary>Parts that found no room.</summary>
    public long Refused { get; private set; }

    /// <summary>Bytes of incomplete messages.</summary>
    public long Bytes
    {
        get
        {
            lock (_lock) return _bytes;
        }
    }

    /// <summary>Takes a part.</summary>
    /// <param name="part">The part.</param>
    /// <param name="signer">Who has sent it; null where nobody signs. Parts of two signers never make one message.</param>
    /// <returns>Whether it is durable, there is no room for it now, or its message was handled before.</returns>
    public PartFate Add(MessagePart part, Signer? signer = null)
    {
        lock (_lock)
        {
            ReadFolder();
            Expire();
            var message = PartedMessage.Of(part, signer);
            if (_handled.Contains(message)) return PartFate.Handled;
            Waiting? waiting = _waiting.GetValueOrDefault(message);
            if (waiting is not null && waiting.Length != part.Length)
                throw new PartException("message length", $"{waiting.Length}, as its other parts say", $"{part.Length}");
            if (waiting is null || !waiting.Numbers.Contains(part.Number))
            {
                long ofSigner = _bytesOf.GetValueOrDefault(message.Owner) + part.Piece.Length;
                if (_bytes + part.Piece.Length > limits.Bytes || (signer is not null && ofSigner > limits.Bytes / 2))
                {
                    Refused++;
                    return PartFate.NoRoom;
                }
                folder.Write(FileOf(message, part.Length, part.Number), part.Piece);
                if (waiting is null) _waiting.Add(message, waiting = new Waiting(part.Length));
                waiting.Numbers.Add(part.Number);
                Count(message, waiting, part.Piece.Length);
            }
            waiting.LastPart = clock.GetTimestamp();
            return waiting.Numbers.Count == part.Count ? PartFate.Complete : PartFate.Stored;
        }
    }

    /// <summary>The whole message, when all parts are there.</summary>
    /// <exception cref="PartException">The parts do not make the message that they name; they are forgotten.</exception>
    public byte[] Join(MessagePart part, Signer? signer = null)
    {
        lock (_lock)
        {
            var parted = PartedMessage.Of(part, signer);
            byte[] message = new byte[part.Length];
            int at = 0;
            for (int number = 0; number < part.Count; number++)
            {
                byte[] piece = folder.Read(FileOf(parted, part.Length, number)) ?? [];
                if (piece.Length != Math.Min(MessagePart.PieceSize, part.Length - at)) break;
                piece.CopyTo(message, at);
                at += piece.Length;
            }
            string found = MessagePart.IdentityOf(message);
            if (at == message.Length && found == part.Message) return message;
            Forget(parted);
            throw new PartException("message", $"one with the digest {part.Message}", found);
        }
    }

    /// <summary>Forgets a message that was handled; parts of it that come again are known.</summary>
    public void Settle(MessagePart part, Signer? signer = null)
    {
        lock (_lock)
        {
            var message = PartedMessage.Of(part, signer);
            if (_handled.Add(message)) _handledInOrder.Enqueue(message);
            if (_handledInOrder.Count > MostRemembered) _handled.Remove(_handledInOrder.Dequeue());
            Forget(message);
        }
    }

    private void Count(PartedMessage message, Waiting waiting, int bytes)
    {
        waiting.Bytes += bytes;
        _bytes += bytes;
        _bytesOf[message.Owner] = _bytesOf.GetValueOrDefault(message.Owner) + bytes;
    }

    private void Forget(PartedMessage message)
    {
        if (!_waiting.Remove(message, out Waiting? waiting)) return;
        foreach (int number in waiting.Numbers) folder.Delete(FileOf(message, waiting.Length, number));
        _bytes -= waiting.Bytes;
        if ((_bytesOf[message.Owner] -= waiting.Bytes) == 0) _bytesOf.Remove(message.Owner);
    }

    private void Expire()
    {
        foreach ((PartedMessage message, Waiting waiting) in _waiting.ToArray())
        {
            if (clock.GetElapsedTime(waiting.LastPart) <= limits.Age) continue;
            Forget(message);
            Expired++;
        }
    }

    /// <summary>What an earlier process had stored; it waits as long as if it had come now.</summary>
    private void ReadFolder()
    {
        if (_isRead) return;
        _isRead = true;
        foreach (string file in folder.List("*" + Suffix))
        {
            // A site's name has no dot, and a digest no hyphen.
            string[] names = file[..^Suffix.Length].Split('.'), words = names[^1].Split('-');
            if (names.Length != 2 || words.Length != 3 || !int.TryParse(words[1], out int length) || !int.TryParse(words[2], out int number)) continue;
            var message = new PartedMessage(names[0], words[0]);
            if (!_waiting.TryGetValue(message, out Waiting? waiting)) _waiting.Add(message, waiting = new Waiting(length) { LastPart = clock.GetTimestamp() });
            waiting.Numbers.Add(number);
            Count(message, waiting, (int)new FileInfo(folder.FileAt(file)).Length);
        }
    }

    private static string FileOf(PartedMessage message, int length, int number) => $"{message.Owner}.{message.Identity}-{length}-{number}{Suffix}";

    /// <summary>A message by its digest, and by whose it is: a site's name, or what no site is called.</summary>
    private readonly record struct PartedMessage(string Owner, string Identity)
    {
        public static PartedMessage Of(MessagePart part, Signer? signer) => new(signer is null ? "_" : signer.Site ?? "_hub", part.Message);
    }

    private sealed class Waiting(int length)
    {
        public int Length { get; } = length;

        public HashSet<int> Numbers { get; } = [];

        public long Bytes { get; set; }

        public long LastPart { get; set; }
    }
}

/// <summary>What became of a part.</summary>
public enum PartFate
{
    /// <summary>Durable; others are missing.</summary>
    Stored,

    /// <summary>Durable, and the message is complete.</summary>
    Complete,

    /// <summary>Its message was handled before.</summary>
    Handled,

    /// <summary>Incomplete messages fill the store; there may be room later.</summary>
    NoRoom,
}
