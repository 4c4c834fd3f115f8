namespace EcoLora.DaprSidecar;

/// <summary>Which topics an app may use: a component's allowedTopics, protectedTopics, publishingScopes and subscriptionScopes.</summary>
internal static class TopicScopes
{
    public static bool MayPublish(Component component, string appId, string topic) => Allows(component, "publishingScopes", appId, topic);

    public static bool MaySubscribe(Component component, string appId, string topic) => Allows(component, "subscriptionScopes", appId, topic);

    private static bool Allows(Component component, string key, string appId, string topic)
    {
        if (component["allowedTopics"] is { } allowed && !Split(allowed, ',').Contains(topic)) return false;
        // "a=t1,t2;b=": a may use t1 and t2, b nothing, an app that is not named everything but what is protected.
        string[] scoped = [.. Split(component[key] ?? "", ';').Select(app => app.Split('=')).Where(app => app.Length > 1 && app[0] == appId)
            .SelectMany(app => app[1].Split(','))];
        bool isProtected = Split(component["protectedTopics"] ?? "", ',').Contains(topic);
        return (scoped.Length == 0 && !isProtected) || scoped.Contains(topic);
    }

    private static string[] Split(string text, char by) => text.Replace(" ", "", StringComparison.Ordinal).Split(by);
}
