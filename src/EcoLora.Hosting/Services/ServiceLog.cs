using System.Text.Json.Serialization;
using EcoLora.Messaging;
using Microsoft.Extensions.Logging;

namespace EcoLora.Hosting;

/// <summary>A service's log lines.</summary>
public static partial class ServiceLog
{
    /// <summary>What happens.</summary>
    [LoggerMessage(Level = LogLevel.Information, Message = "{What}")]
    public static partial void Say(this ILogger log, string what);

    /// <summary>What goes wrong and is tried again.</summary>
    [LoggerMessage(Level = LogLevel.Warning, Message = "{What}")]
    public static partial void Warn(this ILogger log, string what);
}

/// <summary>JSON of what every service answers.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(IReadOnlyList<Refusal>))]
public sealed partial class ServiceJson : JsonSerializerContext;
