using System.CommandLine;
using EcoLora.Formats.Data;
using EcoLora.Training;

namespace EcoLora.Local;

/// <summary><c>ecolora generate</c>: a prompt in, text out as it is made.</summary>
internal static class GenerateCommand
{
    private const int LongestPrompt = 1 << 20;
    private const string Raw = "none";

    private const string Details =
        "Decoding is greedy, so the same prompt gives the same text; with --temperature tokens are drawn from softmax(logits/T),\n"
        + "with --top-p only from the most likely ones that reach this probability together, and the same seed gives the same\n"
        + "text. With a template the prompt is an instruction, put into the form that the adapter was trained on; without one\n"
        + "the model goes on with the text as it is. Without --prompt the prompt is read from standard input.";

    public static Command Create()
    {
        Option<string?> model = Arguments.Text("--model", "DIR", "Base model (Hugging Face folder).");
        model.Required = true;
        Option<string?> adapter = Arguments.Text("--adapter", "DIR", "PEFT adapter to use with the model.");
        Option<string?> prompt = Arguments.Text("--prompt", "TEXT", "The prompt; without it, standard input.");
        Option<string?> context = Arguments.Text("--context", "TEXT", "What the instruction is about (with --template).");
        Option<string?> template = Arguments.Choice("--template", [Raw, .. PromptTemplate.All.Select(each => each.Name)],
            "Form of the prompt. [default: none]");
        Option<long?> newTokens = Arguments.Integer("--max-new-tokens", 1, 65536, "Most tokens to generate. [default: 64]");
        Option<double?> temperature = Arguments.Number("--temperature", value => value is >= 0 and <= 100, "a number of 0 to 100",
            "Draw tokens at this temperature; 0 is greedy. [default: 0]");
        Option<double?> topP = Arguments.Number("--top-p", value => value is > 0 and <= 1, "a number above 0, at most 1",
            "Draw only from the most likely tokens that reach this probability. [default: 1]");
        Option<long?> seed = Arguments.Integer("--seed", 0, long.MaxValue, "Seed of the draws. [default: 1]");
        var command = new DocumentedCommand("generate", "Generate text with a model and, where one is given, an adapter.", Details,
            "ecolora generate --model samples/base --prompt \"Anna has a red ball.\"",
            "ecolora generate --model samples/base --adapter runs/quickstart/adapter --template plain "
                + "--context \"Tom has the cup. Anna has the ball.\" --prompt \"Who has the ball?\"",
            "echo \"Write a haiku.\" | ecolora generate --model ~/models/llama --template alpaca --max-new-tokens 128",
            "ecolora generate --model samples/base --prompt \"Anna has\" --temperature 0.8 --top-p 0.95 --seed 7")
        {
            model, adapter, prompt, context, template, newTokens, temperature, topP, seed,
        };
        command.Validators.Add(result =>
        {
            // What is asked of an option is not its value, which may not be one.
            string form = result.GetResult(template) is { Tokens: [.., var last] } ? last.Value : Raw;
            if (result.GetResult(context) is not null && form == Raw) result.AddError("--context needs --template");
            foreach (Option option in (Option[])[topP, seed])
                if (result.GetResult(option) is not null && result.GetResult(temperature) is null) result.AddError($"{option.Name} needs --temperature");
        });
        command.SetAction((parsed, cancellation) => Task.Run(() =>
        {
            TunedModel tuned = TunedModel.Open(parsed.GetRequiredValue(model)!, parsed.GetValue(adapter));
            string form = parsed.GetValue(template) ?? Raw;
            ExampleFactory? factory = form == Raw ? null : tuned.Factory(form);
            string text = parsed.GetValue(prompt) ?? ReadInput(Console.In);
            int most = (int)(parsed.GetValue(newTokens) ?? 64);
            int[] tokens = factory?.Prompt(new Instruction(text, parsed.GetValue(context) ?? "", "", "")) ?? [tuned.BosId, .. tuned.Tokenizer.Encode(text)];
            int room = tuned.Model.Config.MaxPositions - most;
            if (tokens.Length > room)
            {
                string limit = $"{room} tokens (max_position_embeddings {tuned.Model.Config.MaxPositions} − --max-new-tokens {most})";
                throw new ArgumentException($"prompt: expected at most {limit}, found {tokens.Length}");
            }
            var sampling = new SamplingOptions(parsed.GetValue(temperature) ?? 0, parsed.GetValue(topP) ?? 1, (ulong)(parsed.GetValue(seed) ?? 1));
            Stream(tuned, tokens, most, factory?.StopTokens, sampling, cancellation);
            return ExitCodes.Success;
        }, cancellation));
        return command;
    }

    /// <summary>Writes the text while it is generated; <paramref name="answerEnds"/> is null where it is no answer, and ends with EOS.</summary>
    private static void Stream(TunedModel tuned, int[] prompt, int most, IReadOnlyCollection<int>? answerEnds, SamplingOptions sampling, CancellationToken cancellation)
    {
        var text = new GrowingText(tokens => tuned.Tokenizer.Decode(tokens), Console.Out, prompt, answerEnds is not null);
        List<int> sequence = [.. prompt];
        Generator.Generate(tuned.Model, prompt, most, answerEnds ?? [tuned.EosId], sampling, Show, cancellation);
        text.End();

        void Show(int token)
        {
            sequence.Add(token);
            text.Show([.. sequence]);
        }
    }

    private static string ReadInput(TextReader input)
    {
        char[] buffer = new char[LongestPrompt + 1];
        int length = input.ReadBlock(buffer);
        if (length > LongestPrompt) throw new ArgumentException($"standard input: expected a prompt of at most {LongestPrompt} characters, found more");
        return new string(buffer, 0, length).TrimEnd('\r', '\n');
    }
}
