using System.Globalization;

namespace EcoLora.DaprSidecar;

/// <summary>The command line: daprd's flags that this tool knows, and <c>--fault-*</c> of its own.</summary>
internal sealed record SidecarOptions
{
    public required string AppId { get; init; }

    /// <summary>Null: no app, so nothing is delivered.</summary>
    public int? AppPort { get; init; }

    public int HttpPort { get; init; } = 3500;

    /// <summary>Listened on in builds with <c>-p:Feed=full</c>.</summary>
    public int GrpcPort { get; init; } = 50001;

    public string? ResourcesPath { get; init; }

    public long MaxBodySize { get; init; } = Quantity.Parse("4Mi");

    public TimeSpan Grace { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>Asked of the app's calls when set.</summary>
    public string? ApiToken { get; init; } = Variable("DAPR_API_TOKEN");

    /// <summary>Sent to the app when set.</summary>
    public string? AppApiToken { get; init; } = Variable("APP_API_TOKEN");

    public FaultOptions Faults { get; init; } = new();

    public static SidecarOptions Parse(string[] args)
    {
        SidecarOptions options = new() { AppId = "" };
        for (int i = 0; i < args.Length; i++)
        {
            string name = args[i];
            string value;
            int equals = name.IndexOf('=', StringComparison.Ordinal);
            if (equals > 0) (name, value) = (name[..equals], name[(equals + 1)..]);
            else if (++i < args.Length) value = args[i];
            else throw new FormatException($"{name}: expected a value, found the end of the command line");
            options = options.With(name, value);
        }
        return options.AppId.Length > 0 ? options : throw new FormatException("expected --app-id NAME, found none");
    }

    private SidecarOptions With(string name, string value) => name switch
    {
        "--app-id" => this with { AppId = value },
        "--app-port" => this with { AppPort = Number(name, value, 1, 65535) },
        "--dapr-http-port" => this with { HttpPort = Number(name, value, 0, 65535) },
        "--dapr-grpc-port" => this with { GrpcPort = Number(name, value, 0, 65535) },
        "--resources-path" => this with { ResourcesPath = value },
        "--max-body-size" => this with { MaxBodySize = Quantity.Parse(value) },
        "--dapr-graceful-shutdown-seconds" => this with { Grace = TimeSpan.FromSeconds(Number(name, value, 0, 3600)) },
        "--seed" => this with { Faults = Faults with { Seed = Number(name, value, int.MinValue, int.MaxValue) } },
        "--fault-delay-rate" => this with { Faults = Faults with { DelayRate = Rate(name, value) } },
        "--fault-delay-ms" => this with { Faults = Faults with { DelayMilliseconds = Number(name, value, 0, 60_000) } },
        "--fault-duplicate-rate" => this with { Faults = Faults with { DuplicateRate = Rate(name, value) } },
        "--fault-reorder-rate" => this with { Faults = Faults with { ReorderRate = Rate(name, value) } },
        "--fault-refuse-rate" => this with { Faults = Faults with { RefuseRate = Rate(name, value) } },
        "--fault-die-before" => this with { Faults = Faults with { DieBefore = Number(name, value, 1, int.MaxValue) } },
        "--fault-die-after" => this with { Faults = Faults with { DieAfter = Number(name, value, 1, int.MaxValue) } },
        _ => throw new FormatException($"{name}: no such flag"),
    };

    private static int Number(string name, string value, int least, int most) =>
        int.TryParse(value, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out int number) && number >= least && number <= most
            ? number
            : throw new FormatException($"{name}: expected a whole number from {least} to {most}, found {value}");

    private static double Rate(string name, string value) =>
        double.TryParse(value, NumberStyles.Float, CultureInfo.InvariantCulture, out double rate) && rate is >= 0 and <= 1
            ? rate
            : throw new FormatException($"{name}: expected a number from 0 to 1, found {value}");

    private static string? Variable(string name) => Environment.GetEnvironmentVariable(name) is { Length: > 0 } value ? value : null;
}
