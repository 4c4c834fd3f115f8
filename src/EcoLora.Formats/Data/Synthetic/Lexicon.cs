namespace EcoLora.Formats.Data.Synthetic;

/// <summary>A person of a story.</summary>
/// <param name="Name">First name.</param>
/// <param name="IsGirl">Decides the pronouns.</param>
internal sealed record Person(string Name, bool IsGirl)
{
    public string He => IsGirl ? "she" : "he";
    public string Him => IsGirl ? "her" : "him";
    public string His => IsGirl ? "her" : "his";
    public override string ToString() => Name;
}

/// <summary>The few hundred words that the made-up stories and tasks share. A word is in one list only.</summary>
internal static class Lexicon
{
    public static readonly Person[] People =
    [
        new("Tom", false), new("Mia", true), new("Sam", false), new("Anna", true), new("Ben", false), new("Lily", true), new("Max", false), new("Eva", true),
        new("Leo", false), new("Nora", true), new("Jack", false), new("Rosa", true),
        new("Tim", false), new("Ella", true), new("Finn", false), new("Lucy", true),
    ];

    public static readonly string[] Objects =
    [
        "ball", "book", "cup", "box", "key", "lamp", "drum", "kite", "bag", "doll",
        "coin", "ring", "bell", "map", "clock", "stone", "rope", "flag", "basket", "letter",
    ];

    public static readonly string[] Animals =
        ["cat", "dog", "horse", "cow", "pig", "duck", "hen", "goat", "sheep", "mouse", "fox", "bear", "frog", "bird", "rabbit", "lion"];

    public static readonly string[] Foods =
        ["bread", "cheese", "cake", "soup", "rice", "milk", "pear", "plum", "honey", "pie", "carrot", "banana", "corn", "fish", "salad", "butter"];

    public static readonly string[] Tools =
        ["hammer", "spade", "drill", "rake", "shovel", "ladder", "brush", "knife", "needle", "broom", "wrench", "pump"];

    public static readonly string[] Clothes =
        ["hat", "coat", "shirt", "scarf", "dress", "shoe", "sock", "glove", "belt", "jacket", "skirt", "sweater"];

    public static readonly string[] Colors = ["red", "blue", "green", "yellow", "black", "white", "brown", "pink", "gray", "purple"];

    public static readonly string[] Places =
        ["garden", "kitchen", "barn", "park", "school", "river", "forest", "market", "house", "field", "beach", "shop", "yard", "cave", "tower", "village"];

    public static readonly string[] Days = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

    public static readonly string[] Sizes = ["big", "small", "old", "new", "long", "little", "round", "nice"];

    /// <summary>The phrase with a capital first letter.</summary>
    public static string Capital(string phrase) => char.ToUpperInvariant(phrase[0]) + phrase[1..];
}
