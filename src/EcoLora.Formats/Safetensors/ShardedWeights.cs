using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using EcoLora.Formats.Files;

namespace EcoLora.Formats.Safetensors;

/// <summary>Writes the weights of a model folder as transformers does: one file, or shards with an index where they are larger.</summary>
internal static class ShardedWeights
{
    /// <summary>
    /// Writes <c>model.safetensors</c>, or <c>model-00001-of-0000N.safetensors</c> … with <c>model.safetensors.index.json</c>. A shard takes tensors in
    /// the order given until the next would make it too large; a tensor that is larger has a shard of its own.
    /// </summary>
    /// <param name="folder">Where.</param>
    /// <param name="tensors">All tensors.</param>
    /// <param name="largest">Most bytes of a shard's tensors.</param>
    /// <param name="prepare">Is applied to a tensor before it is written.</param>
    /// <returns>Number of files with tensors.</returns>
    public static int Write(string folder, IReadOnlyList<StreamedTensor> tensors, long largest, Func<StreamedTensor, StreamedTensor> prepare)
    {
        var shards = new List<List<StreamedTensor>>();
        long bytes = 0;
        foreach (StreamedTensor tensor in tensors)
        {
            if (shards.Count == 0 || bytes + tensor.ByteLength > largest)
            {
                shards.Add([]);
                bytes = 0;
            }
            shards[^1].Add(tensor);
            bytes += tensor.ByteLength;
        }
        for (int i = 0; i < shards.Count; i++) SafetensorsWriter.WriteStreamed(Path.Combine(folder, NameOf(i, shards.Count)), shards[i].Select(prepare));
        if (shards.Count > 1) AtomicFile.Write(Path.Combine(folder, SafetensorsFolder.Index), stream => WriteIndex(stream, shards));
        return shards.Count;
    }

    private static string NameOf(int shard, int shards) =>
        shards == 1 ? SafetensorsFolder.Single : string.Create(CultureInfo.InvariantCulture, $"model-{shard + 1:d5}-of-{shards:d5}.safetensors");

    private static void WriteIndex(Stream stream, List<List<StreamedTensor>> shards)
    {
        using var json = new Utf8JsonWriter(stream, new JsonWriterOptions { Indented = true, NewLine = "\n", Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping });
        json.WriteStartObject();
        json.WriteStartObject("metadata");
        json.WriteNumber("total_size", shards.Sum(shard => shard.Sum(tensor => tensor.ByteLength)));
        json.WriteEndObject();
        json.WriteStartObject("weight_map");
        foreach ((string name, int shard) in shards.SelectMany((shard, i) => shard.Select(tensor => (tensor.Name, i))).OrderBy(pair => pair.Name, StringComparer.Ordinal))
            json.WriteString(name, NameOf(shard, shards.Count));
        json.WriteEndObject();
        json.WriteEndObject();
    }
}
