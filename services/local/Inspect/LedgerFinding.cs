using System.Globalization;
using System.Text.Json.Nodes;
using EcoLora.Telemetry;

namespace EcoLora.Local;

/// <summary>A ledger's totals by direction and stage.</summary>
internal static class LedgerFinding
{
    public static Finding Of(string path)
    {
        IReadOnlyList<LedgerRow> ledger;
        using (FileStream file = File.OpenRead(path)) ledger = LedgerCsv.Read(file, path);
        LedgerTotals totals = LedgerTotals.Of(ledger);
        (string Name, string Key, StageBytes Bytes)[] directions =
        [
            ("up", "up", totals.All.Up), ("down", "down", totals.All.Down),
            ("control-up", "controlUp", totals.All.ControlUp), ("control-down", "controlDown", totals.All.ControlDown),
        ];
        Reduction reduction = totals.All.Reduction;
        var json = new JsonObject { ["kind"] = "ledger", ["rows"] = ledger.Count, ["rounds"] = totals.Rounds.Count };
        foreach ((_, string key, StageBytes bytes) in directions) json[key] = Json(bytes);
        json["timesFewerBytes"] = new JsonObject
        {
            ["upFp32"] = reduction.UpFp32,
            ["upFp16"] = reduction.UpFp16,
            ["downFp32"] = reduction.DownFp32,
            ["downFp16"] = reduction.DownFp16,
            ["totalFp32"] = reduction.TotalFp32,
            ["totalFp16"] = reduction.TotalFp16,
        };
        string title = FormattableString.Invariant($"Ledger: {ledger.Count} rows, {totals.Rounds.Count} rounds");
        return new Finding(json,
        [
            new ResultTable(title, ["direction", "messages", "dense fp32", "dense fp16", "segment", "sparse", "golomb", "coded", "framed"],
                [.. directions.Select(each => Cells(each.Name, each.Bytes))]),
            new ResultTable("Times fewer bytes than dense, control messages included", ["against", "up", "down", "total"],
            [
                ["dense fp32", Quantity.Ratio(reduction.UpFp32), Quantity.Ratio(reduction.DownFp32), Quantity.Ratio(reduction.TotalFp32)],
                ["dense fp16", Quantity.Ratio(reduction.UpFp16), Quantity.Ratio(reduction.DownFp16), Quantity.Ratio(reduction.TotalFp16)],
            ]),
        ]);
    }

    private static JsonObject Json(StageBytes bytes) => new()
    {
        ["messages"] = bytes.Messages,
        ["denseFp32"] = bytes.DenseFp32,
        ["denseFp16"] = bytes.DenseFp16,
        ["segment"] = bytes.Segment,
        ["sparse"] = bytes.Sparse,
        ["golomb"] = bytes.Golomb,
        ["coded"] = bytes.Coded,
        ["framed"] = bytes.Framed,
        ["densityA"] = bytes.DensityA,
        ["densityB"] = bytes.DensityB,
    };

    private static string[] Cells(string name, StageBytes bytes) =>
    [
        name, bytes.Messages.ToString(CultureInfo.InvariantCulture),
        .. new[] { bytes.DenseFp32, bytes.DenseFp16, bytes.Segment, bytes.Sparse, bytes.Golomb, bytes.Coded, bytes.Framed }.Select(count => Quantity.Bytes(count)),
    ];
}
