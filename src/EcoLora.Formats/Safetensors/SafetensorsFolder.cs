using EcoLora.Formats.Json;

namespace EcoLora.Formats.Safetensors;

/// <summary>
/// The weights of a model folder: <c>model.safetensors</c>, or the shards that <c>model.safetensors.index.json</c> names. All files are opened and
/// their headers checked at once, and the index must agree with them.
/// </summary>
public sealed class SafetensorsFolder : IDisposable
{
    internal const string Single = "model.safetensors";
    internal const string Index = "model.safetensors.index.json";
    private const int MostShards = 10_000;

    private readonly string _path;
    private readonly SortedDictionary<string, SafetensorsFile> _files = new(StringComparer.Ordinal);
    private readonly Dictionary<string, SafetensorsFile> _byTensor = new(StringComparer.Ordinal);

    private SafetensorsFolder(string path) => _path = path;

    /// <summary>Names of the tensors, sorted (ordinal).</summary>
    public IReadOnlyList<string> Names => [.. _byTensor.Keys.Order(StringComparer.Ordinal)];

    /// <summary>Opens the weights of a folder; the single file goes before an index.</summary>
    /// <exception cref="SafetensorsException">Neither is there, a file breaks the format, or the index names a tensor or file that is not there.</exception>
    public static SafetensorsFolder Open(string path)
    {
        var folder = new SafetensorsFolder(path);
        try
        {
            if (System.IO.File.Exists(Path.Combine(path, Single)))
                foreach (TensorEntry entry in folder.File(Single).Tensors) folder._byTensor.Add(entry.Name, folder.File(Single));
            else if (System.IO.File.Exists(Path.Combine(path, Index))) folder.ReadIndex();
            else throw new SafetensorsException($"{path}: expected {Single} or {Index}, found neither");
            return folder;
        }
        catch
        {
            folder.Dispose();
            throw;
        }
    }

    /// <summary>Whether a tensor of this name is there.</summary>
    public bool Contains(string name) => _byTensor.ContainsKey(name);

    /// <summary>The file that holds a tensor.</summary>
    /// <exception cref="SafetensorsException">There is none of that name.</exception>
    public SafetensorsFile FileOf(string name)
    {
        if (_byTensor.TryGetValue(name, out SafetensorsFile? file)) return file;
        string where = _files.Count == 1 ? _files.Keys.First() : Index;
        throw new SafetensorsException($"{Path.Combine(_path, where)}: expected tensor '{PrintableText.Of(name)}', found none of that name");
    }

    /// <summary>Unmaps all files.</summary>
    public void Dispose()
    {
        foreach (SafetensorsFile file in _files.Values) file.Dispose();
    }

    private SafetensorsFile File(string name)
    {
        if (_files.TryGetValue(name, out SafetensorsFile? file)) return file;
        return _files[name] = SafetensorsFile.Open(Path.Combine(_path, name));
    }

    private void ReadIndex()
    {
        JsonField index = JsonField.ReadFile(Path.Combine(_path, Index), text => new SafetensorsException(text));
        foreach ((string tensor, JsonField shard) in index["weight_map"].Members())
        {
            string name = shard.String();
            bool plain = name.Length > 0 && name.IndexOfAny(['/', '\\', ':']) < 0 && !name.Any(char.IsControl) && name is not ("." or "..");
            if (!plain) throw shard.Refuse("the name of a file in the same folder");
            if (_files.Count >= MostShards) throw shard.Refuse($"at most {MostShards} files");
            SafetensorsFile file = File(name);
            if (!file.Contains(tensor))
                throw new SafetensorsException($"{name}: expected tensor '{PrintableText.Of(tensor)}' as {Index} says, found none of that name");
            _byTensor.Add(tensor, file);
        }
    }
}
