namespace EcoLora.DaprSidecar;

/// <summary>Which topics an app may use: a component's allowedTopics, publishingScopes and subscriptionScopes.</summary>
internal static class TopicScopes
{
    public static bool MayPublish(Component component, string appId, string topic) => Allows(component, "publishingScopes", appId, topic);

    public static bool MaySubscribe(Component component, string appId, string topic) => Allows(component, "subscriptionScopes", appId, topic);

    private static bool Allows(Component component, string key, string appId, string topic)
    {
        if (component["allowedTopics"] is { } allowed && !Split(allowed, ',').Contains(topic)) return false;
        if (component[key] is not { } scopes) return true;
        // "a=t1,t2;b=": a may use t1 and t2, b nothing, an app that is not named everything.
        string? own = Split(scopes, ';').FirstOrDefault(s => s.Split('=')[0].Trim() == appId);
        return own is null
            || (own.Contains('=', StringComparison.Ordinal) && Split(own[(own.IndexOf('=', StringComparison.Ordinal) + 1)..], ',').Contains(topic));
    }

    private static string[] Split(string text, char by) => text.Split(by, StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
}
