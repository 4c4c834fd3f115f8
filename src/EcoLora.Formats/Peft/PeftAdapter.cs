namespace EcoLora.Formats.Peft;

/// <summary>The LoRA pair of one linear layer: ΔW = s·B·A with <see cref="PeftAdapter.ScaleOf"/>'s s.</summary>
/// <param name="Name">Hugging Face name without suffix, such as <c>model.layers.0.self_attn.q_proj</c>.</param>
/// <param name="Rank">r.</param>
/// <param name="Alpha">α.</param>
/// <param name="Inputs">n, columns of the layer's weight.</param>
/// <param name="Outputs">m, rows of the layer's weight.</param>
/// <param name="A">[r, n], row-major.</param>
/// <param name="B">[m, r], row-major.</param>
public sealed record PeftModule(string Name, int Rank, double Alpha, int Inputs, int Outputs, float[] A, float[] B);

/// <summary>
/// A LoRA adapter in the format of PEFT: <c>adapter_config.json</c> and <c>adapter_model.safetensors</c> with the keys
/// <c>base_model.model.{module}.lora_A.weight</c> [r, n] and <c>….lora_B.weight</c> [m, r] in F32. The same adapter gives the same bytes.
/// </summary>
/// <param name="BaseModel">Name or path of the base model, for whoever loads the adapter (<c>base_model_name_or_path</c>).</param>
/// <param name="Modules">The pairs; each name once. <see cref="Read"/> gives them sorted: numbers in names by value, so layer 2 comes before layer 10.</param>
/// <param name="Dropout">The dropout that it was trained with; for the record only.</param>
/// <param name="UseRsLora">Whether pairs are scaled by α/√r (<c>use_rslora</c>; Kalajdzievski, 2023) instead of α/r.</param>
public sealed record PeftAdapter(string BaseModel, IReadOnlyList<PeftModule> Modules, double Dropout = 0, bool UseRsLora = false)
{
    /// <summary>s, what a pair's B·A is multiplied with: α/r, or α/√r with <see cref="UseRsLora"/>, of the module's own r and α.</summary>
    public double ScaleOf(PeftModule module) => module.Alpha / (UseRsLora ? Math.Sqrt(module.Rank) : module.Rank);

    /// <summary>Reads an adapter folder. Only plain LoRA is accepted: what other settings mean would change ΔW.</summary>
    /// <exception cref="PeftException">A file is absent or malformed, a setting is not supported, or tensors and config disagree.</exception>
    public static PeftAdapter Read(string folder) => PeftReader.Read(folder);

    /// <summary>
    /// Writes the folder whole or not at all: beside its place, flushed, renamed; a former folder of that name is replaced.
    /// </summary>
    /// <exception cref="ArgumentException">No module, a name twice, or sizes that disagree.</exception>
    /// <exception cref="IOException">The disk refused.</exception>
    public void Write(string folder) => PeftWriter.Write(folder, this);
}
