using System.Text.Json;
using EcoLora.Formats.Files;
using EcoLora.Formats.Json;
using EcoLora.Formats.Safetensors;
using EcoLora.Formats.Tokenizers;
using EcoLora.Numerics;

namespace EcoLora.Formats.HuggingFace;

/// <summary>
/// A Hugging Face model folder: config.json, weights (one safetensors file or shards), tokenizer.json. Opening checks that every tensor of the
/// config is there with its shape and a readable dtype, so that nothing is computed, or allocated from the config's numbers, for a folder that does
/// not fit together.
/// </summary>
public sealed class ModelFolder : IDisposable
{
    private readonly SafetensorsFolder _weights;

    private ModelFolder(string path, ModelConfig config, BpeTokenizer tokenizer, SafetensorsFolder weights) =>
        (Path, Config, Tokenizer, _weights) = (path, config, tokenizer, weights);

    /// <summary>Where it lies, as given.</summary>
    public string Path { get; }

    /// <summary>config.json.</summary>
    public ModelConfig Config { get; }

    /// <summary>tokenizer.json with tokenizer_config.json.</summary>
    public BpeTokenizer Tokenizer { get; }

    /// <summary>Begin of text: the tokenizer's, else the config's; null when neither has one.</summary>
    public int? BosId => Tokenizer.BosId ?? Config.BosId;

    /// <summary>End of text: the tokenizer's, else the config's first; null when neither has one.</summary>
    public int? EosId => Tokenizer.EosId ?? (Config.EosIds.Count > 0 ? Config.EosIds[0] : null);

    /// <summary>Opens a folder and checks it; the weights are mapped, not read.</summary>
    /// <exception cref="ModelFolderException">There is no folder, config.json is unsupported or malformed, or config, tokenizer and weights do not
    /// fit together.</exception>
    /// <exception cref="TokenizerException">tokenizer.json is absent, malformed or unsupported.</exception>
    /// <exception cref="SafetensorsException">The weights are absent, cut off or malformed, or lack a tensor.</exception>
    public static ModelFolder Open(string path)
    {
        if (!Directory.Exists(path)) throw new ModelFolderException($"{path}: expected a model folder, found none");
        ModelConfig config = ReadConfig(path);
        BpeTokenizer tokenizer = BpeTokenizer.Open(path);
        int least = tokenizer.VocabularySize;
        if (config.VocabularySize < least)
            throw new ModelFolderException(
                $"config.json: field 'vocab_size': expected at least {least}, as tokenizer.json has ids up to {least - 1}, found {config.VocabularySize}");
        SafetensorsFolder weights = SafetensorsFolder.Open(path);
        try
        {
            foreach ((string name, int[] shape) in config.Tensors()) Check(weights.FileOf(name), name, shape);
            return new ModelFolder(path, config, tokenizer, weights);
        }
        catch
        {
            weights.Dispose();
            throw;
        }
    }

    /// <summary>Reads config.json of a folder alone.</summary>
    /// <exception cref="ModelFolderException">It is absent, malformed or unsupported.</exception>
    public static ModelConfig ReadConfig(string path) =>
        ModelConfigFile.Read(JsonField.ReadFile(System.IO.Path.Combine(path, ModelConfigFile.Name), text => new ModelFolderException(text)));

    /// <summary>A tensor of that shape where it lies in the mapped file; see <see cref="SafetensorsFile.Map"/>.</summary>
    /// <exception cref="SafetensorsException">There is no such tensor, or its dtype is not F32, F16 or BF16.</exception>
    /// <exception cref="ModelFolderException">It has another shape.</exception>
    public WeightMemory<float> Map(string name, params ReadOnlySpan<int> shape)
    {
        SafetensorsFile file = _weights.FileOf(name);
        Check(file, name, shape);
        return file.Map(name);
    }

    /// <summary>
    /// Writes a folder that transformers loads: config.json, generation_config.json, model.safetensors, tokenizer.json, tokenizer_config.json. It
    /// appears whole or
    /// not at all; a former folder of that name is replaced.
    /// </summary>
    /// <param name="path">Where.</param>
    /// <param name="config">The config; <paramref name="tensors"/> must be its <see cref="ModelConfig.Tensors"/>.</param>
    /// <param name="tokenizer">The tokenizer.</param>
    /// <param name="tensors">All tensors, in any order.</param>
    /// <param name="type">How the weights are stored; F16 and BF16 round to the nearest.</param>
    /// <exception cref="ArgumentException">A tensor of the config is missing or has another shape, or there is one too many.</exception>
    /// <exception cref="IOException">The disk refused.</exception>
    public static void Save(string path, ModelConfig config, BpeTokenizer tokenizer, IReadOnlyCollection<SafetensorsTensor> tensors,
        TensorType type = TensorType.F32)
    {
        Dictionary<string, SafetensorsTensor> byName = tensors.ToDictionary(t => t.Name, StringComparer.Ordinal);
        int expected = 0;
        foreach ((string name, int[] shape) in config.Tensors())
        {
            expected++;
            string found = byName.TryGetValue(name, out SafetensorsTensor? tensor) ? string.Join(" × ", tensor.Shape) : "none";
            string wanted = string.Join(" × ", shape);
            if (found != wanted) throw new ArgumentException($"tensor '{name}': expected {wanted}, found {found}", nameof(tensors));
        }
        if (expected != byName.Count) throw new ArgumentException($"expected the {expected} tensors of the config, found {byName.Count}", nameof(tensors));
        AtomicFile.WriteFolder(path, folder =>
        {
            AtomicFile.Write(System.IO.Path.Combine(folder, ModelConfigFile.Name), stream => ModelConfigFile.Write(stream, config, type));
            AtomicFile.Write(System.IO.Path.Combine(folder, "generation_config.json"), stream => WriteGenerationConfig(stream, config));
            SafetensorsWriter.Write(System.IO.Path.Combine(folder, "model.safetensors"), tensors, type);
            tokenizer.Save(folder);
        });
    }

    /// <summary>Unmaps the weights.</summary>
    public void Dispose() => _weights.Dispose();

    private static void WriteGenerationConfig(Stream stream, ModelConfig config)
    {
        using var json = new Utf8JsonWriter(stream, new JsonWriterOptions { Indented = true, NewLine = "\n" });
        json.WriteStartObject();
        json.WriteBoolean("_from_model_config", true);
        ModelConfigFile.WriteIds(json, config);
        json.WriteEndObject();
    }

    private static void Check(SafetensorsFile file, string name, ReadOnlySpan<int> shape)
    {
        TensorEntry entry = file[name];
        bool same = entry.Shape.Count == shape.Length;
        for (int i = 0; same && i < shape.Length; i++) same = entry.Shape[i] == shape[i];
        string where = System.IO.Path.GetFileName(file.Path);
        if (!same)
            throw new ModelFolderException(
                $"{where}: tensor '{PrintableText.Of(name)}': expected {string.Join(" × ", shape.ToArray())}, found {entry.ShapeText}");
        file.CheckReadable(entry);
    }
}
