namespace EcoLora.Formats.Data;

/// <summary>
/// How a record becomes text: a prompt, and the answer that follows it. Line ends are '\n'; a record without a context leaves out the context's lines.
/// </summary>
public sealed class PromptTemplate
{
    private readonly Func<string, string, string> _prompt;
    private readonly string _answerPrefix;

    private PromptTemplate(string name, string answerPrefix, Func<string, string, string> prompt)
    {
        Name = name;
        _answerPrefix = answerPrefix;
        _prompt = prompt;
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

    /// <summary>Every template, by the name that a run file uses.</summary>
    public static IReadOnlyList<PromptTemplate> All { get; } = [Alpaca, Plain];

    /// <summary>Name in a run file: <c>alpaca</c> or <c>plain</c>.</summary>
    public string Name { get; }

    /// <summary>The template of that name.</summary>
    /// <exception cref="ArgumentException">There is none; the message lists the names.</exception>
    public static PromptTemplate Named(string name) => All.FirstOrDefault(template => template.Name == name)
        ?? throw new ArgumentException($"template '{name}': expected {string.Join(" or ", All.Select(template => template.Name))}", nameof(name));

    /// <summary>The prompt's text, up to where the answer begins. White space around instruction and context is left out.</summary>
    public string Prompt(Instruction record) => _prompt(record.Text.Trim(), record.Context.Trim());

    /// <summary>The answer's text, as it follows the prompt: with the template's prefix, without white space around it. An answer that a model wrote is
    /// compared after trimming.</summary>
    public string Answer(Instruction record) => _answerPrefix + record.Response.Trim();
}
