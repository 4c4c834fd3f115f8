using System.Text.Json;
using EcoLora.Formats.HuggingFace;
using EcoLora.Numerics;
using EcoLora.TestKit;

namespace EcoLora.Training.Tests;

public class MultipleChoiceTests
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("abcd,ab,abc", "8,5,9", 1, 0)]              // per character 2, 2.5, 3
    [InlineData("ab,abcdef,abcdefg", "2,3,4", 0, 1)]        // 1, 0.5, 0.57
    [InlineData("a,b,c", "3,2,2", 1, 1)]                    // a tie goes to the first
    [InlineData("éé,xxxx,\U0001F600\U0001F600\U0001F600", "2,4,3", 0, 0)]   // 1 per character each: scalar values, neither bytes nor UTF-16 units
    [InlineData("\U0001F600,xx,yyy", "1.2,2,3", 0, 1)]      // 1.2, 1, 1
    [InlineData("a,b,c", "NaN,2,3", 1, 1)]
    [InlineData("a,b,c", "NaN,NaN,NaN", -1, -1)]
    public void The_choice_is_the_likeliest_in_all_and_per_character(string texts, string losses, int likeliest, int perCharacter)
    {
        string[] choices = texts.Split(',');
        double[] given = [.. losses.Split(',').Select(loss => double.Parse(loss, System.Globalization.CultureInfo.InvariantCulture))];
        for (int answer = 0; answer < choices.Length; answer++)
        {
            var question = new ChoiceQuestion([.. choices.Select(text => new Example([1, 2], 1, "", text))], answer);
            Assert.Equal(
                new MultipleChoiceScore(new Proportion(answer == likeliest ? 1 : 0, 1), new Proportion(answer == perCharacter ? 1 : 0, 1)),
                MultipleChoice.Score([question], given));
        }
    }

    [Fact]
    public void Questions_of_different_size_are_told_apart()
    {
        ChoiceQuestion[] questions = [Question(0, "a", "b", "c"), Question(3, "a", "b", "c", "d", "e"), Question(1, "a", "b", "c", "d")];
        MultipleChoiceScore score = MultipleChoice.Score(questions, [1, 2, 3, /**/ 5, 4, 3, 2, 6, /**/ 1, 2, 3, 4]);
        Assert.Equal(new Proportion(2, 3), score.Accuracy);
    }

    /// <summary>Every next token of a prompt against the logits of an independent implementation in double precision.</summary>
    [Fact]
    public void The_likelihood_of_a_token_is_that_of_the_published_model()
    {
        JsonElement prompt = Answers().GetProperty("prompt");
        int[] ids = [.. prompt.GetProperty("ids").EnumerateArray().Select(x => x.GetInt32())];
        double[] logits = [.. prompt.GetProperty("logits_last").EnumerateArray().Select(x => x.GetDouble())];
        double logSum = Math.Log(logits.Sum(Math.Exp));
        Example[] choices = [.. logits.Select((_, token) => new Example([.. ids, token], ids.Length, "", "x"))];
        double[] losses = Evaluator.Losses(Stories(), choices, threads: 2, onDone: null, Cancel);
        Assert.Equal(512, losses.Length);
        for (int token = 0; token < losses.Length; token++) Assert.Equal(logSum - logits[token], losses[token], 1e-4);
        int likeliest = Array.IndexOf(logits, logits.Max());
        Assert.Equal(1, MultipleChoice.Score(Stories(), [new ChoiceQuestion(choices, likeliest)], cancellation: Cancel).Accuracy.Value);
        Assert.Equal(0, MultipleChoice.Score(Stories(), [new ChoiceQuestion(choices, (likeliest + 1) % 512)], cancellation: Cancel).Accuracy.Value);
    }

    /// <summary>Whole stories as choices, two at a time, by the losses that the same implementation gives them.</summary>
    [Fact]
    public void The_choice_among_texts_is_the_one_that_published_losses_give()
    {
        using ModelFolder folder = ModelFolder.Open(SharedData.Path("model/stories260K-hf"));
        string[] stories = File.ReadAllText(SharedData.Path("corpus/tinystories_sample.txt")).Split("<|endoftext|>");
        var choices = new List<Example>();
        var losses = new List<double>();
        foreach (JsonElement known in Answers().GetProperty("tinystories_sample_nll").EnumerateArray())
        {
            string start = known.GetProperty("text").GetString()!;
            string story = stories.Select(text => text.Trim()).Single(text => text.StartsWith(start, StringComparison.Ordinal));
            choices.Add(new Example([folder.BosId!.Value, .. folder.Tokenizer.Encode(story)], 1, "", story));
            losses.Add(known.GetProperty("mean_nll").GetDouble() * choices[^1].AnswerTokens);
        }
        int differ = 0;
        for (int a = 0; a < choices.Count; a++)
        {
            for (int b = a + 1; b < choices.Count; b++)
            {
                // These stories are ASCII, so that a text's length is its characters.
                bool first = losses[a] < losses[b], firstNormalized = losses[a] / choices[a].Answer.Length < losses[b] / choices[b].Answer.Length;
                MultipleChoiceScore score = MultipleChoice.Score(Stories(), [new ChoiceQuestion([choices[a], choices[b]], 0)], cancellation: Cancel);
                Assert.Equal((first, firstNormalized), (score.Accuracy.Successes == 1, score.NormalizedAccuracy.Successes == 1));
                if (first != firstNormalized) differ++;
            }
        }
        Assert.NotEqual(0, differ);
    }

    [Fact]
    public void The_number_of_threads_changes_no_bit()
    {
        LlamaModel model = LlamaModel.Random(TinyModel.Small, new RandomStream(1, "weights"));
        List<Example> choices = TinyModel.Counting(90, TinyModel.Small.Vocabulary, "choices");
        double[] one = Evaluator.Losses(model, choices, 1, null, Cancel);
        foreach (int threads in new[] { 2, 8 }) Assert.Equal(one, Evaluator.Losses(model, choices, threads, null, Cancel));
    }

    [Fact]
    public void A_question_that_makes_no_sense_is_refused()
    {
        LlamaModel model = LlamaModel.Random(TinyModel.Small, new RandomStream(1, "weights"));
        Assert.Equal(new MultipleChoiceScore(default, default), MultipleChoice.Score(model, [], cancellation: Cancel));
        Refused("question 1: answer: expected 0 to 2, found 3", Question(0, "a", "b", "c"), Question(3, "a", "b", "c"));
        Refused("question 0: expected choices with a text, found one without", Question(0, "a", "", "c"));
        Refused("example 1: token 1: expected 0 to 63, found 64", new ChoiceQuestion([new([1, 2], 1, "", "a"), new([1, 64], 1, "", "b")], 0));

        void Refused(string expected, params ChoiceQuestion[] questions) => Assert.StartsWith(
            expected, Assert.Throws<ArgumentException>(() => MultipleChoice.Score(model, questions, cancellation: Cancel)).Message, StringComparison.Ordinal);
    }

    private static ChoiceQuestion Question(int answer, params string[] texts) => new([.. texts.Select(text => new Example([1, 2], 1, "", text))], answer);

    private static LlamaModel Stories()
    {
        using ModelFolder opened = ModelFolder.Open(SharedData.Path("model/stories260K-hf"));
        return LlamaModel.Load(opened);
    }

    private static JsonElement Answers() => JsonDocument.Parse(File.ReadAllBytes(SharedData.Path("model/stories260K-hf/known_answers.json"))).RootElement;
}
