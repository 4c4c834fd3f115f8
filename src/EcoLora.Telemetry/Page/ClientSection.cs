using System.Globalization;

namespace EcoLora.Telemetry;

/// <summary>The participants' losses, who took part, and how the data lies.</summary>
internal static class ClientSection
{
    public static void AddTo(Markup html, RunReport report)
    {
        ArmReport arm = report.Arms[0];
        DataFacts data = report.Data;
        html.Add($"<h2 id=\"clients\">Clients and data</h2>\n<p>{data.Name}: {Quantity.Count(data.Records)} records");
        if (data.HeldOut is { } heldOut) html.Add($", {Quantity.Count(heldOut)} held out");
        if (data.Dropped is { } dropped) html.Add($", {Quantity.Count(dropped)} dropped");
        html.Add($"; partition {data.Partition}.</p>\n");
        html.Add($"<div class=\"grid2\">\n");
        Losses(arm).AddTo(html);
        new HeatMap(
            "Who holds what", "Training records of each client by category.", "client",
            [.. data.Clients.Select(client => client.Client)], data.Categories.Count == 0 ? ["records"] : data.Categories,
            (column, row) => Held(data, column, row)).AddTo(html, 1160, zeroIsFault: false);
        html.Add($"</div>\n");
        AddParticipants(html, arm);
        AddPartition(html, data);
    }

    private static int Held(DataFacts data, int client, int category)
    {
        ClientData share = data.Clients[client];
        if (data.Categories.Count == 0) return share.Records;
        return category < share.PerCategory.Count ? share.PerCategory[category] : 0;
    }

    private static LinePlot Losses(ArmReport arm)
    {
        PlotPoint[] losses =
        [
            .. arm.Rounds.SelectMany(round => round.Participants.Where(participant => participant.Loss is { } loss && double.IsFinite(loss))
                .Select(participant => new PlotPoint(
                    round.Round, participant.Loss ?? 0, $"round {round.Round}", $"{participant.Client}: {Quantity.Loss(participant.Loss)}"))),
        ];
        PlotPoint[] means =
        [
            .. arm.Rounds.Where(round => round.TrainLoss is { } loss && double.IsFinite(loss))
                .Select(round => new PlotPoint(round.Round, round.TrainLoss ?? 0, $"round {round.Round}", $"weighted mean: {Quantity.Loss(round.TrainLoss)}")),
        ];
        Axis y = Axis.Linear("training loss", losses.Concat(means).Select(point => point.Y), value => value.ToString("0.##", CultureInfo.InvariantCulture));
        PlotPoint[] lost =
        [
            .. arm.Rounds.SelectMany(round => round.Participants.Where(participant => participant.Status != ParticipantStatus.Accepted)
                .Select(participant => new PlotPoint(round.Round, y.Max, $"round {round.Round}", $"{participant.Client}: {Words.Of(participant.Status)}"))),
        ];
        return new LinePlot(
            "Training loss of the participants", "A dot is a client, the line the weighted mean; a cross at the top is an update that is not in the result.",
            Axis.Rounds(arm.Rounds), y,
            [
                new Series("clients", 4, 0, Stroke.None, losses), new Series("weighted mean", 0, 0, Stroke.Solid, means),
                new Series("not in the result", 1, 4, Stroke.None, lost),
            ],
            Wide: true);
    }

    private static void AddParticipants(Markup html, ArmReport arm)
    {
        html.Add(
            $"<details><summary>Participants of {arm.Name}, round by round</summary>"
            + $"<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Participants\"><table><thead><tr>");
        html.Add(
            $"<th scope=\"col\">round</th><th scope=\"col\">slot</th><th scope=\"col\" class=\"text\">client</th>"
            + $"<th scope=\"col\" class=\"text\">site</th><th scope=\"col\">segment</th><th scope=\"col\">samples</th>");
        html.Add(
            $"<th scope=\"col\">loss</th><th scope=\"col\">sent</th><th scope=\"col\">site received</th><th scope=\"col\" class=\"text\">status</th>"
            + $"</tr></thead><tbody>\n");
        foreach (RoundReport round in arm.Rounds)
            foreach (Participant participant in round.Participants)
            {
                bool fine = participant.Status == ParticipantStatus.Accepted;
                html.Add(
                    $"<tr><td>{round.Round}</td><td>{participant.Slot}</td><td class=\"text\">{participant.Client}</td>"
                    + $"<td class=\"text\">{participant.Site}</td>");
                html.Add(
                    $"<td>{participant.Segment?.ToString(CultureInfo.InvariantCulture) ?? "all"}</td><td>{Quantity.Count(participant.Samples)}</td>"
                    + $"<td>{Quantity.Loss(participant.Loss)}</td><td>{Quantity.Bytes(participant.UpBytes)}</td>");
                html.Add(
                    $"<td>{Quantity.Bytes(participant.DownBytes)}</td>"
                    + $"<td "
                    + $"class=\"text{(fine ? "" : " bad")}\">{Words.Of(participant.Status)}{(participant.Reason is null ? "" : ": " + participant.Reason)}"
                    + $"</td></tr>\n");
            }
        html.Add($"</tbody></table></div></details>\n");
    }

    private static void AddPartition(Markup html, DataFacts data)
    {
        html.Add(
            $"<details><summary>Clients and categories in numbers</summary><div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Clients "
            + $"and categories\"><table><thead><tr><th scope=\"col\" class=\"text\">client</th><th scope=\"col\" class=\"text\">site</th>"
            + $"<th scope=\"col\">records</th>");
        foreach (string category in data.Categories) html.Add($"<th scope=\"col\">{category}</th>");
        html.Add($"</tr></thead><tbody>\n");
        foreach (ClientData client in data.Clients)
        {
            html.Add($"<tr><th scope=\"row\">{client.Client}</th><td class=\"text\">{client.Site}</td><td>{client.Records}</td>");
            foreach (int count in client.PerCategory) html.Add($"<td>{count}</td>");
            html.Add($"</tr>\n");
        }
        html.Add($"</tbody></table></div></details>\n");
    }
}
