using System.Text.Json;
using EcoLora.Formats.HuggingFace;
using EcoLora.TestKit;

namespace EcoLora.Training.Tests;

/// <summary>The published model stories260K against the answers of an independent implementation in double precision.</summary>
public class KnownAnswerTests
{
    [Theory]
    [InlineData("stories260K-hf")]
    [InlineData("stories260K-hf-sharded")]
    public void Logits_match(string folder)
    {
        LlamaModel model = Load(folder);
        JsonElement prompt = Answers().GetProperty("prompt");
        int[] ids = Numbers(prompt.GetProperty("ids"));
        double[] expected = [.. prompt.GetProperty("logits_last").EnumerateArray().Select(x => x.GetDouble())];
        var pass = new CachedPass(model);
        pass.Start(ids.Length, 1);
        pass.Append(0, ids);
        pass.Step();
        for (int i = 0; i < expected.Length; i++) Assert.Equal(expected[i], pass.Logits[i], 2e-5);

        // Token by token, through the cache.
        pass.Start(ids.Length, 1);
        JsonElement[] each = [.. prompt.GetProperty("logits_first8_each_pos").EnumerateArray()];
        for (int position = 0; position < ids.Length; position++)
        {
            pass.Append(0, [ids[position]]);
            pass.Step();
            for (int i = 0; i < 8; i++) Assert.Equal(each[position][i].GetDouble(), pass.Logits[i], 2e-5);
        }
    }

    [Fact]
    public void Greedy_text_matches()
    {
        LlamaModel model = Load("stories260K-hf");
        int[] expected = Numbers(Answers().GetProperty("greedy_ids_bos_plus_200"));
        Assert.Equal(expected[1..], Generator.Generate(model, [expected[0]], 200, [], cancellation: Cancel));
        Assert.Equal(expected[1..], Generator.GenerateAll(model, [[expected[0]], expected[..7], [expected[0]]], 200, [], cancellation: Cancel)[2]);
    }

    [Fact]
    public void Generation_stops_at_a_stop_token()
    {
        LlamaModel model = Load("stories260K-hf");
        int[] expected = Numbers(Answers().GetProperty("greedy_ids_bos_plus_200"));
        int stop = expected[20];
        int end = Array.IndexOf(expected, stop);
        Assert.Equal(expected[1..end], Generator.Generate(model, [expected[0]], 200, [stop], cancellation: Cancel));
    }

    [Fact]
    public void Loss_of_stories_matches()
    {
        LlamaModel model = Load("stories260K-hf");
        using ModelFolder folder = ModelFolder.Open(SharedData.Path("model/stories260K-hf"));
        string[] stories = File.ReadAllText(SharedData.Path("corpus/tinystories_sample.txt")).Split("<|endoftext|>");
        foreach (JsonElement known in Answers().GetProperty("tinystories_sample_nll").EnumerateArray())
        {
            string start = known.GetProperty("text").GetString()!;
            string story = stories.Select(text => text.Trim()).Single(text => text.StartsWith(start, StringComparison.Ordinal));
            int[] tokens = [folder.BosId!.Value, .. folder.Tokenizer.Encode(story)];
            EvaluationResult result = Evaluator.Evaluate(model, [new Example(tokens, 1, "", "")], cancellation: Cancel);
            Assert.Equal(known.GetProperty("mean_nll").GetDouble(), result.Overall.MeanLoss, 2e-6);
        }
    }

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    private static LlamaModel Load(string folder)
    {
        using ModelFolder opened = ModelFolder.Open(SharedData.Path($"model/{folder}"));
        return LlamaModel.Load(opened);
    }

    private static JsonElement Answers() => JsonDocument.Parse(File.ReadAllBytes(SharedData.Path("model/stories260K-hf/known_answers.json"))).RootElement;

    private static int[] Numbers(JsonElement array) => [.. array.EnumerateArray().Select(x => x.GetInt32())];
}
