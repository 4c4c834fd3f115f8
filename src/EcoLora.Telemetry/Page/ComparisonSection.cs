namespace EcoLora.Telemetry;

/// <summary>The arms side by side: the table that the terminal shows, and the ratios against baselines that really ran.</summary>
internal static class ComparisonSection
{
    public static void AddTo(Markup html, RunReport report)
    {
        html.Add(
            $"<h2 id=\"comparison\">Comparison</h2>\n<p>Bytes on the wire, headers and control messages included. “vs” is against the computed dense "
            + $"exchange of the same method with the same fan-out; ");
        html.Add($"“ran” is against a dense baseline that ran beside it.</p>\n");
        html.Add($"<div class=\"panel scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Comparison of the arms\"><table><thead><tr>");
        SummaryTable table = SummaryTable.Of(report);
        foreach (string heading in table.Headings) html.Add($"<th scope=\"col\" class=\"{(heading == "arm" ? "text" : "")}\">{heading}</th>");
        html.Add($"<th scope=\"col\">ran fp16</th><th scope=\"col\">ran fp32</th><th scope=\"col\">refused</th></tr></thead><tbody>\n");
        for (int i = 0; i < table.Rows.Count; i++) AddRow(html, table.Cells(table.Rows[i]), report.Arms[i], i == 0);
        html.Add(
            $"<tr class=\"dim\"><th scope=\"row\">before training</th><td></td><td></td><td></td><td></td><td></td>"
            + $"<td>{Quantity.Loss(table.Before)}</td>");
        Evaluation? before = report.Arms[0].Before;
        html.Add($"<td>{Quantity.Percent(before?.Right)}</td>");
        if (table.OfPairs) html.Add($"<td>{Quantity.Loss(before?.RewardMargin)}</td>");
        html.Add($"<td></td><td></td><td></td><td></td></tr>\n</tbody></table></div>\n");
        AddRefused(html, report);
    }

    private static void AddRow(Markup html, IReadOnlyList<string> cells, ArmReport arm, bool first)
    {
        html.Add($"<tr class=\"{(first ? "first" : "")}\"><th scope=\"row\">{cells[0]}</th>");
        foreach (string cell in cells.Skip(1)) html.Add($"<td>{cell}</td>");
        html.Add($"<td>{Quantity.Ratio(arm.Measured.TotalFp16)}</td><td>{Quantity.Ratio(arm.Measured.TotalFp32)}</td>");
        html.Add($"<td class=\"{(arm.RefusedUpdates > 0 ? "bad" : "")}\">{arm.RefusedUpdates}</td></tr>\n");
    }

    private static void AddRefused(Markup html, RunReport report)
    {
        var lost = report.Arms.SelectMany(arm => arm.Rounds.SelectMany(round => round.Participants
            .Where(participant => participant.Status != ParticipantStatus.Accepted)
            .Select(participant => (arm.Name, round.Round, Participant: participant)))).ToArray();
        if (lost.Length == 0) return;
        html.Add($"<div class=\"alert\"><b>{lost.Length} {(lost.Length == 1 ? "update is" : "updates are")} not in the result</b><ul>\n");
        foreach ((string name, int round, Participant participant) in lost.Take(8))
            html.Add(
                $"<li>{name}, round {round}, {participant.Client}: "
                + $"{Words.Of(participant.Status)}{(participant.Reason is null ? "" : ", " + participant.Reason)}</li>\n");
        if (lost.Length > 8) html.Add($"<li>and {lost.Length - 8} more, in the participants' table</li>\n");
        html.Add($"</ul></div>\n");
    }
}

/// <summary>Words for values of enumerations.</summary>
internal static class Words
{
    public static string Of(ParticipantStatus status) => status switch
    {
        ParticipantStatus.Accepted => "accepted",
        ParticipantStatus.Refused => "refused",
        _ => "absent",
    };
}
