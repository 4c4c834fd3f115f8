using EcoLora.Formats.Tokenizers;

namespace EcoLora.Formats.Data;

/// <summary>
/// How a record becomes text: a prompt, and the answer that follows it. Line ends are '\n'; white space around instruction, context and answer is left
/// out; a record without a context leaves out the context's lines.
/// </summary>
/// <remarks>
/// A model folder's own <c>chat_template</c> is a program in Jinja and is not run; a chat template is chosen here by name, and is one turn of the user and
/// the answer. None has a system turn: records have none, the defaults differ from release to release of one family, and what counts is that training and
/// use agree. The control tokens of a chat template are special tokens, which no record's text can become; where its markers are ordinary text (llama2,
/// mistral-v1, zephyr's <c>&lt;|user|&gt;</c>), a record can say them as it can say anything.
/// </remarks>
public sealed class PromptTemplate
{
    private readonly Func<string, string, IReadOnlyList<TextPart>> _prompt;
    private readonly string _answerPrefix, _answerSuffix;

    private PromptTemplate(string name, string answerPrefix, Func<string, string, string> prompt)
    {
        Name = name;
        (_answerPrefix, _answerSuffix) = (answerPrefix, "");
        _prompt = (instruction, context) => [TextPart.Plain(prompt(instruction, context))];
        Head = [];
        StartsWithBos = true;
        SpecialTokens = [];
    }

    /// <summary>A chat: the user's turn is the context, an empty line and the instruction; the context comes first as in <see cref="Plain"/>.</summary>
    private PromptTemplate(
        string name, TextPart[] before, TextPart[] after, string endToken, string answerPrefix = "", string answerSuffix = "", bool startsWithBos = true)
    {
        Name = name;
        (_answerPrefix, _answerSuffix) = (answerPrefix, answerSuffix);
        _prompt = (instruction, context) =>
            [.. before, TextPart.Plain(context.Length == 0 ? instruction : $"{context}\n\n{instruction}"), .. after];
        Head = before;
        StartsWithBos = startsWithBos;
        EndToken = endToken;
        SpecialTokens = [.. before.Concat(after).Where(part => part.IsSpecial).Select(part => part.Text).Append(endToken).Distinct()];
    }

    /// <summary>
    /// The prompt of Stanford Alpaca (Taori et al., 2023), in its two wordings:
    /// <code>
    /// Below is an instruction that describes a task, paired with an input that provides further context. Write a response that appropriately completes
    /// the request.
    ///
    /// ### Instruction:
    /// {instruction}
    ///
    /// ### Input:
    /// {context}
    ///
    /// ### Response:
    /// {answer}
    /// </code>
    /// and, without a context, <c>…describes a task. Write a response…</c> and no input section.
    /// </summary>
    public static PromptTemplate Alpaca { get; } = new("alpaca", "", (instruction, context) => context.Length == 0
        ? "Below is an instruction that describes a task. Write a response that appropriately completes the request.\n\n"
            + $"### Instruction:\n{instruction}\n\n### Response:\n"
        : "Below is an instruction that describes a task, paired with an input that provides further context. "
            + "Write a response that appropriately completes the request.\n\n"
            + $"### Instruction:\n{instruction}\n\n### Input:\n{context}\n\n### Response:\n");

    /// <summary>
    /// A short prompt for small models and windows:
    /// <code>
    /// {context}
    /// {instruction}
    /// A: {answer}
    /// </code>
    /// The context comes first, so that a prompt that is cut from the left keeps its question. The prompt ends with <c>A:</c> and the answer starts with
    /// the space, so that an answer's first word is the same token as that word inside a sentence, and can be copied.
    /// </summary>
    public static PromptTemplate Plain { get; } = new("plain", " ", (instruction, context) => context.Length == 0
        ? $"{instruction}\nA:"
        : $"{context}\n{instruction}\nA:");

    /// <summary>Llama 2 chat: <c>&lt;s&gt;[INST] {user} [/INST] {answer} &lt;/s&gt;</c>; [INST] is ordinary text, and the answer ends with a space.</summary>
    public static PromptTemplate Llama2 { get; } = new(
        "llama2", [TextPart.Plain("[INST] ")], [TextPart.Plain(" [/INST]")], "</s>", answerPrefix: " ", answerSuffix: " ");

    /// <summary>
    /// Llama 3 Instruct: BOS, then
    /// <code>
    /// &lt;|start_header_id|&gt;user&lt;|end_header_id|&gt;
    ///
    /// {user}&lt;|eot_id|&gt;&lt;|start_header_id|&gt;assistant&lt;|end_header_id|&gt;
    ///
    /// {answer}&lt;|eot_id|&gt;
    /// </code>
    /// without the system turn with dates that 3.1 and later put first.
    /// </summary>
    public static PromptTemplate Llama3 { get; } = new(
        "llama3",
        [TextPart.Special("<|start_header_id|>"), TextPart.Plain("user"), TextPart.Special("<|end_header_id|>"), TextPart.Plain("\n\n")],
        [
            TextPart.Special("<|eot_id|>"), TextPart.Special("<|start_header_id|>"), TextPart.Plain("assistant"), TextPart.Special("<|end_header_id|>"),
            TextPart.Plain("\n\n"),
        ],
        "<|eot_id|>");

    /// <summary>
    /// ChatML, as Qwen2, Qwen2.5 and SmolLM2 have it, without BOS as theirs:
    /// <code>
    /// &lt;|im_start|&gt;user
    /// {user}&lt;|im_end|&gt;
    /// &lt;|im_start|&gt;assistant
    /// {answer}&lt;|im_end|&gt;
    /// </code>
    /// Their own templates put a default system turn first, "You are a helpful assistant." in one, the name of model and maker in others. It is left out.
    /// </summary>
    public static PromptTemplate ChatMl { get; } = new(
        "chatml",
        [TextPart.Special("<|im_start|>"), TextPart.Plain("user\n")],
        [TextPart.Special("<|im_end|>"), TextPart.Plain("\n"), TextPart.Special("<|im_start|>"), TextPart.Plain("assistant\n")],
        "<|im_end|>", startsWithBos: false);

    /// <summary>Mistral 7B Instruct v0.3 and others with [INST] as a token: <c>&lt;s&gt;[INST] {user}[/INST] {answer}&lt;/s&gt;</c>.</summary>
    public static PromptTemplate Mistral { get; } = new(
        "mistral", [TextPart.Special("[INST]"), TextPart.Plain(" ")], [TextPart.Special("[/INST]")], "</s>", answerPrefix: " ");

    /// <summary>Mistral 7B Instruct v0.1 and v0.2: <c>&lt;s&gt;[INST] {user} [/INST] {answer}&lt;/s&gt;</c>; [INST] is ordinary text.</summary>
    public static PromptTemplate MistralV1 { get; } = new(
        "mistral-v1", [TextPart.Plain("[INST] ")], [TextPart.Plain(" [/INST]")], "</s>", answerPrefix: " ");

    /// <summary>
    /// Zephyr and TinyLlama chat; only <c>&lt;/s&gt;</c> is a token:
    /// <code>
    /// &lt;|user|&gt;
    /// {user}&lt;/s&gt;
    /// &lt;|assistant|&gt;
    /// {answer}&lt;/s&gt;
    /// </code>
    /// </summary>
    public static PromptTemplate Zephyr { get; } = new(
        "zephyr", [TextPart.Plain("<|user|>\n")], [TextPart.Special("</s>"), TextPart.Plain("\n<|assistant|>\n")], "</s>");

    /// <summary>Every template, by the name that a run file uses.</summary>
    public static IReadOnlyList<PromptTemplate> All { get; } = [Alpaca, Plain, Llama2, Llama3, ChatMl, Mistral, MistralV1, Zephyr];

    /// <summary>Name in a run file, such as <c>alpaca</c>.</summary>
    public string Name { get; }

    /// <summary>What every prompt starts with after BOS: a chat's first header. A prompt that is cut keeps it.</summary>
    public IReadOnlyList<TextPart> Head { get; }

    /// <summary>The sequence starts with BOS.</summary>
    public bool StartsWithBos { get; }

    /// <summary>The special token that ends an answer; null for the model's EOS.</summary>
    public string? EndToken { get; }

    /// <summary>Every special token that the template needs.</summary>
    public IReadOnlyList<string> SpecialTokens { get; }

    /// <summary>The template of that name.</summary>
    /// <exception cref="ArgumentException">There is none; the message lists the names.</exception>
    public static PromptTemplate Named(string name) => All.FirstOrDefault(template => template.Name == name)
        ?? throw new ArgumentException($"template '{name}': expected {string.Join(" or ", All.Select(template => template.Name))}", nameof(name));

    /// <summary>The prompt after BOS, up to where the answer begins.</summary>
    public IReadOnlyList<TextPart> Prompt(Instruction record) => _prompt(record.Text.Trim(), record.Context.Trim());

    /// <summary>The answer's text, as it follows the prompt and is followed by the end token: with the template's white space around it. An answer that
    /// a model wrote is compared after trimming.</summary>
    public string Answer(Instruction record) => _answerPrefix + record.Response.Trim() + _answerSuffix;
}
