namespace EcoLora.Formats.Data.Synthetic;

/// <summary>What happens to people, by how they feel then. {o} is a thing, {other} and {his} are people; verbs are [present|past].</summary>
internal static class Moods
{
    public static readonly (string Mood, string[] Events)[] All =
    [
        ("happy",
        [
            "[wins|won] a {o}", "[gets|got] a new {o} from {other}", "[finds|found] the lost {o}", "[plays|played] with {other}",
            "[sings|sang] a song with {other}",
        ]),
        ("sad",
        [
            "[loses|lost] {his} {o}", "[breaks|broke] {his} {o}", "[says|said] goodbye to {other}", "[misses|missed] {other}",
            "[has|had] no friend but {other}",
        ]),
        ("angry",
        [
            "[sees|saw] {other} take {his} {o}", "[sees|saw] {other} kick {his} {o}", "[hears|heard] a lie from {other}",
            "[waits|waited] too long for {other}", "[has|had] a fight with {other}",
        ]),
        ("scared",
        [
            "[hears|heard] a loud noise with {other}", "[sees|saw] a ghost near the {o}", "[is|was] lost in the dark with {other}",
            "[runs|ran] from a wolf with {other}", "[falls|fell] in deep water near {other}",
        ]),
    ];

    /// <summary>The event in present tense.</summary>
    public static string Present(string happening, Person person, Person other, Draw draw) => Fill(happening, person, other, draw, 0);

    /// <summary>The event, with the verb forms of tense 0 (present) or 1 (past).</summary>
    public static string Fill(string happening, Person person, Person other, Draw draw, int tense)
    {
        int open = happening.IndexOf('[', StringComparison.Ordinal), close = happening.IndexOf(']', StringComparison.Ordinal);
        string verb = happening[(open + 1)..close].Split('|')[tense];
        return (happening[..open] + verb + happening[(close + 1)..])
            .Replace("{other}", other.Name, StringComparison.Ordinal)
            .Replace("{his}", person.His, StringComparison.Ordinal)
            .Replace("{o}", draw.One(Lexicon.Objects), StringComparison.Ordinal);
    }
}
