using EcoLora.Federation;
using EcoLora.Messaging;
using EcoLora.Telemetry;

namespace EcoLora.Services.Codec;

/// <content>Residuals that the site has, whichever of its clients left them (<see cref="ResidualHolder.Site"/>).</content>
internal sealed partial class SiteRun
{
    private bool IsResidualOfSite => Plan.Exchange.Residuals == ResidualHolder.Site;

    /// <summary>
    /// Settles the outboxes of a round together: R of a segment becomes the sum of what its participants here leave, in slot order. One write of the site's record says that it is so; until then the
    /// outboxes are as they were, and after it they only have to be cleared.
    /// </summary>
    private async Task SettleTogetherAsync(RoundClosed closed, CancellationToken cancellation)
    {
        (int Client, StateRecord<ClientRecord> Record, OutboxEntry Outbox)[] settled =
        [
            .. from client in _clients.OrderBy(pair => pair.Key)
               let outbox = client.Value.Value?.Outbox
               where outbox?.Round == closed.Round
               select (client.Key, client.Value, outbox),
        ];
        List<ResidualEntry> residuals = [.. Record.Residuals ?? []], former = [];
        foreach (var segment in settled.GroupBy(each => each.Outbox.Segment))
        {
            ResidualEntry? before = Record.ResidualOf(segment.Key);
            if (before?.Round >= closed.Round) continue; // A crash came before its outboxes were cleared.
            float[]? left = before is not null && !segment.Any(each => each.Outbox.Carries) ? ReadResidual(before) : null;
            foreach ((int client, _, OutboxEntry outbox) in segment)
            {
                float[] own = LeftBy(client, outbox, closed);
                left = left is null ? own : ClientUpload.Sum(left, own);
            }
            var residual = new ResidualEntry(segment.Key, closed.Round, $"residual-site-{segment.Key:d3}-{closed.Round:d5}.bin");
            VectorFile.Write(_folder, residual.File, new ResidualHeader(closed.Round), SiteJson.Default.ResidualHeader, left!);
            Instruments.Left(Plan.Run, left!);
            if (before is not null) former.Add(before);
            residuals.RemoveAll(other => other.Segment == segment.Key);
            residuals.Add(residual);
        }
        if (closed.Round > Record.Closed || !residuals.SequenceEqual(Record.Residuals ?? []))
            await _record.WriteAsync(Record with { Closed = Math.Max(Record.Closed, closed.Round), Residuals = residuals }, cancellation);
        foreach (ResidualEntry entry in former) _folder.Delete(entry.File);
        foreach ((_, StateRecord<ClientRecord> record, OutboxEntry outbox) in settled)
        {
            await record.WriteAsync(ClientRecord.New, cancellation);
            _folder.Delete(outbox.File);
        }
    }
}
