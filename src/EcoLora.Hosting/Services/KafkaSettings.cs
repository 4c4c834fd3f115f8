using EcoLora.Messaging.Kafka;

namespace EcoLora.Hosting;

/// <summary>Kafka from a service's settings: with ECOLORA_KAFKA its messages go there directly; state, invocation and secrets stay the sidecar's. The command line reads the same two.</summary>
public static class KafkaSettings
{
    /// <summary>The variable with the brokers.</summary>
    public const string Brokers = "ECOLORA_KAFKA";

    /// <summary>The variable with the security settings.</summary>
    public const string Security = "ECOLORA_KAFKA_SECURITY";

    /// <summary>Reads them; null where messages go through the sidecar.</summary>
    /// <param name="variables">The settings.</param>
    /// <param name="appId">The consumer group.</param>
    /// <exception cref="FormatException">One cannot be used.</exception>
    public static KafkaOptions? Read(ServiceVariables variables, string appId)
    {
        ArgumentNullException.ThrowIfNull(variables);
        if (variables.Text(Brokers, "") is not { Length: > 0 } brokers) return null;
        Dictionary<string, string> security = variables.Pairs(Security, "security.protocol, sasl.* and ssl.* as name=value;name=value, each name once", isSecret: true);
        return new KafkaOptions(brokers, appId) { Security = security }.Checked();
    }
}
