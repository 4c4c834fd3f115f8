using System.Text.Json;
using System.Text.Json.Nodes;
using EcoLora.TestKit;

namespace EcoLora.Hosting.Tests;

public sealed class AnnouncedOptionsTests : IDisposable
{
    private static readonly Dictionary<string, string> _models = new() { ["base"] = "/models/base", ["other"] = "/models/other" };

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("samples/quickstart.yaml", "base", "tasks.jsonl")]
    [InlineData("samples/dolly.yaml", "small-llama", "dolly.jsonl.gz")]
    public void What_travels_reads_as_the_same_run_but_for_paths_and_baselines(string sample, string model, string data)
    {
        string path = Path.Combine(Repository.Root, sample);
        RunFile file = RunFile.Read(path,
            [RunFile.PathOverride(path, "model", [_folder[model] + "/"], "--model"), RunFile.PathOverride(path, "data.files", [_folder[data]], "--data")]);
        JsonElement options = AnnouncedOptions.Of(file);
        RunFile read = AnnouncedOptions.Read(options);

        JsonObject expected = file.Values.ToJson();
        expected["model"] = model;
        expected["data"]!["files"] = new JsonArray(data);
        expected["baselines"] = new JsonArray();
        Assert.Null(OptionDifference.First(expected, read.Values.ToJson()));
        Assert.True(JsonElement.DeepEquals(options, AnnouncedOptions.Of(read)));
        Assert.Equal((file.Name, file.Seed, file.Federation, file.Exchange), (read.Name, read.Seed, read.Federation, read.Exchange));
        Assert.DoesNotContain(_folder.Path, options.GetRawText(), StringComparison.Ordinal);
    }

    [Fact]
    public void Threads_stay_at_home_and_words_in_the_place_of_numbers_travel()
    {
        JsonElement options = Of("threads: 3\nexchange: {mixing_beta: off}\ntraining: {epochs: 2, clip_norm: off}\nmodel: base\ndata: {files: [a, b]}");
        Assert.False(options.TryGetProperty("threads", out _));
        RunFile read = AnnouncedOptions.Read(options);
        Assert.Equal((null, null, (int?)2, (double?)null), (read.Exchange.MixingBeta, read.Training.Steps, read.Training.Epochs, read.Training.ClipNorm));
    }

    [Theory]
    [InlineData("data: {files: [a]}", "model: expected the base model's folder (or --model), found none")]
    [InlineData("model: base", "data.files: expected at least one file (or --data), found none")]
    [InlineData("model: base\ndata: {files: [x/a.jsonl, b, y/a.jsonl]}", "data.files: expected files of different names, found a.jsonl, b, a.jsonl")]
    [InlineData("model: base\ndata: {files: [.a]}", "expected names of " + AnnouncedOptions.FileNameRule + ", found '.a'")]
    [InlineData("model: base\ndata: {files: [with space]}", "expected names of " + AnnouncedOptions.FileNameRule + ", found 'with space'")]
    [InlineData("model: x/grün\ndata: {files: [a]}", "expected names of " + AnnouncedOptions.FileNameRule + ", found 'grün'")]
    [InlineData("model: /\ndata: {files: [a]}", "expected names of " + AnnouncedOptions.FileNameRule + ", found ''")]
    public void A_run_file_that_cannot_travel_says_why(string text, string refusal) =>
        Assert.Equal($"{_folder["run.yaml"]}: {refusal}", Assert.Throws<OptionsException>(() => Of(text)).Message);

    [Theory]
    [InlineData("a", true)]
    [InlineData("Dolly-15k_v1.jsonl.gz", true)]
    [InlineData("-", true)]
    [InlineData("", false)]
    [InlineData(null, false)]
    [InlineData(".", false)]
    [InlineData("..", false)]
    [InlineData("a/b", false)]
    [InlineData("a\\b", false)]
    [InlineData("a\0", false)]
    [InlineData("ä", false)]
    [InlineData("a;b", false)]
    [InlineData("a=b", false)]
    public void A_name_is_a_plain_one(string? name, bool isName) => Assert.Equal(isName, AnnouncedOptions.IsFileName(name));

    [Fact]
    public void A_name_has_at_most_100_characters()
    {
        Assert.True(AnnouncedOptions.IsFileName(new string('a', 100)));
        Assert.False(AnnouncedOptions.IsFileName(new string('a', 101)));
        Assert.Equal(("b", "b", "b"), (AnnouncedOptions.NameOf("a/b"), AnnouncedOptions.NameOf("a/b/"), AnnouncedOptions.NameOf("b")));
    }

    [Theory]
    [InlineData("null", "options: expected an object, found Null")]
    [InlineData("[]", "options: expected an object, found Array")]
    [InlineData("""{"name":"x","data":{"files":["a"]}}""", "x: model: expected a name, found none")]
    [InlineData("""{"name":"x","model":"../base","data":{"files":["a"]}}""", "model: expected a name of " + AnnouncedOptions.FileNameRule + ", found \"../base\"")]
    [InlineData("""{"name":"x","model":"base"}""", "x: data.files: expected one or more names, found none")]
    [InlineData("""{"name":"x","model":"base","data":{"window":64}}""", "x: data.files: expected one or more names, found none")]
    [InlineData("""{"name":"x","model":"base","data":{"files":["a","/etc/passwd"]}}""",
        "data.files: expected a name of " + AnnouncedOptions.FileNameRule + ", found \"/etc/passwd\"")]
    public void Options_that_name_no_model_or_data_are_refused(string json, string refusal) =>
        Assert.Equal(refusal, Assert.Throws<OptionsException>(() => AnnouncedOptions.Read(JsonDocument.Parse(json).RootElement)).Message);

    [Theory]
    [InlineData("{}")]
    [InlineData("""{"model":"base","data":{"files":["a"]}}""")]
    [InlineData("""{"name":"../x","model":"base","data":{"files":["a"]}}""")]
    [InlineData("""{"name":"x","model":7,"data":{"files":["a"]}}""")]
    [InlineData("""{"name":"x","model":"base","data":{"files":[]}}""")]
    [InlineData("""{"name":"x","model":"base","data":{"files":[7]}}""")]
    [InlineData("""{"name":"x","model":"base","data":7}""")]
    [InlineData("""{"name":"x","model":"base","data":{"files":["a"]},"exchange":{"segmnts":3}}""")]
    [InlineData("""{"name":"x","model":"base","data":{"files":["a"]},"federation":{"clients":2,"participants":3}}""")]
    public void Options_of_no_run_file_are_refused_in_one_line(string json) =>
        Assert.DoesNotContain('\n', Assert.Throws<OptionsException>(() => AnnouncedOptions.Read(JsonDocument.Parse(json).RootElement)).Message);

    [Fact]
    public void Names_become_the_paths_that_they_have_here()
    {
        JsonElement options = Of("model: elsewhere/base\ndata: {files: [x/b.jsonl, y/a.jsonl]}");
        RunFile read = AnnouncedOptions.Read(options, _models, new Dictionary<string, string> { ["a.jsonl"] = "/data/1", ["b.jsonl"] = "/data/2" }, _ => false);
        Assert.Equal("/models/base", read.Model);
        Assert.Equal(["/data/2", "/data/1"], read.Data.Files);
    }

    [Fact]
    public void A_name_that_is_not_known_here_is_refused_with_those_that_are()
    {
        Assert.Equal("model: expected a name that this trainer knows (base, other), found 'third'",
            Refusal(Of("model: third\ndata: {files: [a]}"), new() { ["a"] = "/a" }, _ => true));
        Assert.Equal("data.files: expected a name that this trainer knows (a), found 'b'",
            Refusal(Of("model: base\ndata: {files: [a, b]}"), new() { ["a"] = "/a" }, _ => false));
    }

    [Fact]
    public void With_a_file_per_client_only_the_files_of_the_clients_here_need_be_here()
    {
        JsonElement options = Of("model: base\ndata: {files: [a, b, c]}\npartition: {scheme: file}\nfederation: {clients: 3, participants: 2}\nexchange: {segments: 2}");
        var here = new Dictionary<string, string> { ["b"] = "/data/b" };
        RunFile read = AnnouncedOptions.Read(options, _models, here, client => client == 1);
        Assert.Equal("/data/b", read.Data.Files[1]);
        Assert.Equal(["a", "b", "c"], read.Data.Files.Select(AnnouncedOptions.NameOf));
        Assert.Equal("data.files: expected a name that this trainer knows (b), found 'c'", Refusal(options, here, client => client >= 1));
    }

    private static string Refusal(JsonElement options, Dictionary<string, string> data, Func<int, bool> hosts) =>
        Assert.Throws<UnknownNameException>(() => AnnouncedOptions.Read(options, _models, data, hosts)).Message;

    private JsonElement Of(string text)
    {
        File.WriteAllText(_folder["run.yaml"], "name: x\n" + text);
        return AnnouncedOptions.Of(RunFile.Read(_folder["run.yaml"], []));
    }
}
