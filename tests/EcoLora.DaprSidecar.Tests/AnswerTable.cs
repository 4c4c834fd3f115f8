namespace EcoLora.DaprSidecar.Tests;

/// <summary>The app's answers to a delivery, and what becomes of the message: the same on every broker.</summary>
internal static class AnswerTable
{
    public static readonly (int Status, string Body, string Effect)[] Rows =
    [
        (200, "", "ack"), (204, "", "ack"), (200, "no json", "ack"), (200, "{}", "ack"), (200, "{\"status\":\"\"}", "ack"),
        (200, "{\"status\":\"SUCCESS\"}", "ack"),
        (200, "{\"status\":7}", "ack"), (299, "", "ack"), (200, "{\"status\":\"RETRY\"}", "retry"), (200, "{\"status\":\"success\"}", "retry"),
        (200, "{\"status\":\"OTHER\"}", "retry"), (200, "{\"status\":\"DROP\"}", "drop"), (404, "", "drop"), (500, "", "retry"), (413, "", "retry"),
        (400, "", "retry"),
        (302, "", "retry"),
    ];
}
