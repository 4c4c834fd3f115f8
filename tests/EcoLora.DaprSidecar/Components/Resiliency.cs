using System.Globalization;

namespace EcoLora.DaprSidecar;

/// <summary>The Resiliency files: which component has which policy, inwards (deliveries) and outwards (publishes, state).</summary>
internal sealed class Resiliency
{
    private readonly Dictionary<string, RetryPolicy> retries = new(StringComparer.Ordinal);
    private readonly Dictionary<string, TimeSpan> timeouts = new(StringComparer.Ordinal);
    private readonly Dictionary<string, (string? Retry, string? Timeout)> targets = new(StringComparer.Ordinal);

    public void Add(YamlMap spec)
    {
        YamlMap policies = spec.Map("policies");
        foreach (string name in policies.Map("retries").Keys) retries[name] = RetryPolicy.Of(policies.Map("retries").Map(name));
        foreach (string name in policies.Map("timeouts").Keys) timeouts[name] = GoDuration.Parse(policies.Map("timeouts").Text(name) ?? "");
        YamlMap components = spec.Map("targets").Map("components");
        foreach (string component in components.Keys)
        {
            foreach (string direction in new[] { "inbound", "outbound" })
            {
                YamlMap target = components.Map(component).Map(direction);
                targets[$"{component}/{direction}"] = (target.Text("retry"), target.Text("timeout"));
            }
        }
    }

    public Policy Inbound(string component) => Find(component, "inbound");

    public Policy Outbound(string component) => Find(component, "outbound");

    private Policy Find(string component, string direction)
    {
        (string? retry, string? timeout) = targets.GetValueOrDefault($"{component}/{direction}");
        return new(
            retry is null ? null : retries.GetValueOrDefault(retry) ?? throw new FormatException($"resiliency: retry policy {retry} is not defined"),
            timeout is null ? null : timeouts.TryGetValue(timeout, out TimeSpan limit)
                ? limit
                : throw new FormatException($"resiliency: timeout {timeout} is not defined"));
    }
}

/// <summary>How often and when to try again. A negative <paramref name="MaxRetries"/> means for ever.</summary>
internal sealed record RetryPolicy(bool Exponential, TimeSpan Duration, TimeSpan MaxInterval, int MaxRetries)
{
    public static RetryPolicy Of(YamlMap map) => new(
        string.Equals(map.Text("policy"), "exponential", StringComparison.OrdinalIgnoreCase),
        map.Text("duration") is { } duration ? GoDuration.Parse(duration) : TimeSpan.FromSeconds(5),
        map.Text("maxInterval") is { } interval ? GoDuration.Parse(interval) : TimeSpan.FromSeconds(60),
        map.Text("maxRetries") is { } retries ? int.Parse(retries, CultureInfo.InvariantCulture) : -1);

    /// <summary>
    /// The wait before retry n = 1, 2, …. Exponential starts at half a second whatever <see cref="Duration"/> says, as daprd does; its random
    /// share is left out.
    /// </summary>
    public TimeSpan Wait(int retry) => Exponential
        ? TimeSpan.FromMilliseconds(Math.Min(500 * Math.Pow(1.5, retry - 1), MaxInterval.TotalMilliseconds))
        : Duration;
}

/// <summary>What surrounds one operation: tries, and a limit to each of them.</summary>
internal sealed record Policy(RetryPolicy? Retry, TimeSpan? Timeout)
{
    /// <summary>Runs until it answers true, or the policy ends. Without a retry policy there is one try.</summary>
    public async Task<bool> RunAsync(Func<CancellationToken, Task<bool>> attempt, CancellationToken cancellation)
    {
        for (int retry = 0; ; retry++)
        {
            if (retry > 0) await Task.Delay(Retry!.Wait(retry), cancellation);
            using CancellationTokenSource limit = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
            if (Timeout is { } time) limit.CancelAfter(time);
            try
            {
                if (await attempt(limit.Token)) return true;
            }
            catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
            {
                // The try took too long: it counts as failed.
            }
            if (Retry is null || (Retry.MaxRetries >= 0 && retry >= Retry.MaxRetries)) return false;
        }
    }
}
