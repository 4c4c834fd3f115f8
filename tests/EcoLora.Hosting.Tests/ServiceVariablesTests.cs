using EcoLora.TestKit;

namespace EcoLora.Hosting.Tests;

public sealed class ServiceVariablesTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly Dictionary<string, string> _environment = [];
    private readonly ServiceVariables _variables;

    public ServiceVariablesTests() => _variables = new ServiceVariables(_environment.GetValueOrDefault);

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void What_is_not_set_or_empty_has_its_default()
    {
        (_environment["SITE"], _environment["PORT"]) = ("", "");
        Assert.Equal("local", _variables.Name("SITE", "local"));
        Assert.Equal(5100, _variables.Number("PORT", 5100, 1, 65535));
        Assert.Equal("loopback", _variables.Choice("BIND", "loopback", "any"));
        Assert.Equal(_folder["x"], _variables.Path("VOLUME", _folder["x"]));
        Assert.Equal("all", _variables.Text("CLIENTS", "all"));
        Assert.Empty(_variables.Places("DATA"));
    }

    [Fact]
    public void What_is_set_counts_and_what_was_read_is_kept_by_name()
    {
        foreach ((string name, string value) in new[] { ("SITE", "a-1"), ("PORT", "007"), ("BIND", "any"), ("VOLUME", "x/../y"), ("SECRET", "never read") })
            _environment[name] = value;
        Assert.Equal("a-1", _variables.Name("SITE", "local"));
        Assert.Equal(7, _variables.Number("PORT", 5100, 1, 65535));
        Assert.Equal("any", _variables.Choice("BIND", "loopback", "any"));
        string path = _variables.Path("VOLUME", "z");
        Assert.Equal(Path.Combine(Environment.CurrentDirectory, "y"), path);
        _variables.Number("REMIND", 30, 1, 3600);
        Assert.Equal(
            [new("BIND", "any"), new("PORT", "007"), new("REMIND", "30"), new("SITE", "a-1"), new("VOLUME", path)],
            _variables.Effective);
    }

    [Theory]
    [InlineData("A")]
    [InlineData("a b")]
    [InlineData("a/b")]
    [InlineData("1234567890123456789012345678901234567890123456789012345678901234")]
    public void A_name_that_is_none_is_refused(string value)
    {
        _environment["SITE"] = value;
        Assert.Equal($"SITE: expected 1 to 63 of a-z, 0-9 and -, found '{value}'", Refusal(() => _variables.Name("SITE", "local")));
    }

    [Theory]
    [InlineData("0")]
    [InlineData("65536")]
    [InlineData("-1")]
    [InlineData("+5")]
    [InlineData(" 5")]
    [InlineData("5.0")]
    [InlineData("five")]
    [InlineData("99999999999")]
    public void A_number_that_is_none_or_outside_its_limits_is_refused(string value)
    {
        _environment["PORT"] = value;
        Assert.Equal($"PORT: expected a whole number of 1 to 65535, found '{value}'", Refusal(() => _variables.Number("PORT", 5100, 1, 65535)));
    }

    [Theory]
    [InlineData("Yes")]
    [InlineData("true")]
    public void A_word_that_is_no_choice_is_refused(string value)
    {
        _environment["EVALUATES"] = value;
        Assert.Equal($"EVALUATES: expected yes or no, found '{value}'", Refusal(() => _variables.Choice("EVALUATES", "yes", "no")));
    }

    [Fact]
    public void Places_go_by_their_last_part_or_by_the_name_that_is_given()
    {
        Directory.CreateDirectory(_folder["models/base"]);
        File.WriteAllText(_folder["a=1.jsonl"], "");
        _environment["DATA"] = $" {_folder["models/base"]}/ ; ; b.jsonl = {_folder["a=1.jsonl"]};";
        IReadOnlyDictionary<string, string> places = _variables.Places("DATA");
        Assert.Equal(["b.jsonl", "base"], places.Keys);
        Assert.Equal(_folder["a=1.jsonl"], places["b.jsonl"]);
        Assert.Equal(_folder["models/base"], Path.TrimEndingDirectorySeparator(places["base"]));
    }

    [Fact]
    public void Places_that_are_not_there_or_have_no_name_or_one_name_twice_are_refused()
    {
        File.WriteAllText(_folder["a"], "");
        Directory.CreateDirectory(_folder["b"]);
        File.WriteAllText(_folder["b/a"], "");
        File.WriteAllText(_folder[".hidden"], "");
        Assert.Equal($"DATA: expected files or folders that are there, found '{_folder["c"]}'", Places(_folder["c"]));
        Assert.Equal("DATA: expected each name once, found 'a'", Places($"{_folder["a"]};{_folder["b/a"]}"));
        Assert.Equal("DATA: expected each name once, found 'x'", Places($"x={_folder["a"]};x={_folder["b"]}"));
        Assert.Equal($"DATA: expected {AnnouncedOptions.FileNameRule}, found '.hidden'", Places(_folder[".hidden"]));
        Assert.Equal($"DATA: expected {AnnouncedOptions.FileNameRule}, found ''", Places($"={_folder["a"]}"));
        Assert.Equal($"DATA: expected {AnnouncedOptions.FileNameRule}, found 'x y'", Places($"x y={_folder["a"]}"));
        Assert.Equal("DATA: expected files or folders that are there, found 'x='", Places("x="));

        string Places(string value)
        {
            _environment["DATA"] = value;
            return Refusal(() => _variables.Places("DATA"));
        }
    }

    private static string Refusal(Action read) => Assert.Throws<SettingException>(read).Message;
}
