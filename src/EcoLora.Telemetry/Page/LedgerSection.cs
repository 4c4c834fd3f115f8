namespace EcoLora.Telemetry;

/// <summary>The ledger's totals to the byte, and every round in numbers.</summary>
internal static class LedgerSection
{
    private static readonly string[] RoundHeadings =
    [
        "round", "train loss", "held-out loss", "exact match", "k A", "k B", "A up", "B up", "A down", "B down",
        "bytes up", "bytes down", "accepted", "refused", "absent", "least coverage",
    ];

    public static void AddTo(Markup html, RunReport report)
    {
        html.Add(
            $"<h2 id=\"ledger\">Ledger</h2>\n<p>Sums of ledger.csv in bytes. sparse counts plain 4-byte indices, so it can exceed the segment; golomb "
            + $"is what the paper's coding takes for the same entries, coded what this one took.</p>\n");
        html.Add(
            $"<div class=\"panel scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Ledger totals\"><table><thead><tr>"
            + $"<th scope=\"col\" class=\"text\">arm</th><th scope=\"col\" class=\"text\">direction</th><th scope=\"col\">messages</th>");
        html.Add(
            $"<th scope=\"col\">dense FP32</th><th scope=\"col\">dense FP16</th><th scope=\"col\">segment</th><th scope=\"col\">sparse</th>"
            + $"<th scope=\"col\">golomb</th><th scope=\"col\">coded</th><th scope=\"col\">framed</th></tr></thead><tbody>\n");
        for (int i = 0; i < report.Arms.Count; i++)
        {
            ArmReport arm = report.Arms[i];
            AddDirection(html, arm.Name, Direction.Up, arm.Totals.Up, i == 0);
            AddDirection(html, "", Direction.Down, arm.Totals.Down, i == 0);
            AddDirection(html, "", Direction.ControlUp, arm.Totals.ControlUp, i == 0);
            AddDirection(html, "", Direction.ControlDown, arm.Totals.ControlDown, i == 0);
        }
        html.Add($"</tbody></table></div>\n");
        foreach (ArmReport arm in report.Arms) AddRounds(html, arm);
    }

    private static void AddDirection(Markup html, string arm, Direction direction, StageBytes bytes, bool first)
    {
        html.Add(
            $"<tr class=\"{(first ? "first" : "")}\"><th scope=\"row\">{arm}</th><td class=\"text\">{LedgerCsv.Name(direction)}</td>"
            + $"<td>{Quantity.Count(bytes.Messages)}</td>");
        foreach (long stage in new[] { bytes.DenseFp32, bytes.DenseFp16, bytes.Segment, bytes.Sparse, bytes.Golomb, bytes.Coded })
            html.Add($"<td>{(direction is Direction.Up or Direction.Down ? Quantity.Count(stage) : "")}</td>");
        html.Add($"<td>{Quantity.Count(bytes.Framed)}</td></tr>\n");
    }

    private static void AddRounds(Markup html, ArmReport arm)
    {
        html.Add(
            $"<details><summary>Rounds of {arm.Name} in numbers</summary><div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Rounds of "
            + $"{arm.Name}\"><table><thead><tr>");
        bool ofPairs = arm.Before?.RewardMargin is not null;
        foreach (string heading in RoundHeadings)
            html.Add($"<th scope=\"col\">{(ofPairs && heading == "exact match" ? "reward accuracy" : heading)}</th>");
        html.Add(
            $"</tr></thead><tbody>\n<tr><td>start</td><td></td><td>{Quantity.Loss(arm.Before?.Loss)}</td>"
            + $"<td>{Quantity.Percent(arm.Before?.Right)}</td>");
        for (int i = 4; i < RoundHeadings.Length; i++) html.Add($"<td></td>");
        html.Add($"</tr>\n");
        foreach (RoundReport round in arm.Rounds)
        {
            html.Add(
                $"<tr><td>{round.Round}</td><td>{Quantity.Loss(round.TrainLoss)}</td><td>{Quantity.Loss(round.HeldOut?.Loss)}</td>"
                + $"<td>{Quantity.Percent(round.HeldOut?.Right)}</td>");
            foreach (double? share in new[] { round.KA, round.KB, round.DensityA, round.DensityB, round.DownDensityA, round.DownDensityB })
                html.Add($"<td>{Quantity.Percent(share)}</td>");
            html.Add($"<td>{Quantity.Count(round.Bytes.UpBytes)}</td><td>{Quantity.Count(round.Bytes.DownBytes)}</td>");
            foreach (ParticipantStatus status in new[] { ParticipantStatus.Accepted, ParticipantStatus.Refused, ParticipantStatus.Absent })
                html.Add($"<td>{round.Participants.Count(participant => participant.Status == status)}</td>");
            html.Add($"<td>{(round.Coverage.Count == 0 ? 0 : round.Coverage.Min())}</td></tr>\n");
        }
        html.Add($"</tbody></table></div></details>\n");
    }
}
