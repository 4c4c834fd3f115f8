using EcoLora.Codec;
using EcoLora.Formats.Safetensors;
using EcoLora.Local.Runs;

namespace EcoLora.Local.Bench;

/// <summary>Changes that <c>ecolora run --keep-updates</c> left.</summary>
internal static class RealUpdate
{
    /// <summary>
    /// Joins the changes of a folder in the order of their names. Values are multiplied by one power of two, so that the largest lies in [2^14, 2^15), as
    /// frames do.
    /// </summary>
    /// <param name="folder">Safetensors files.</param>
    /// <param name="most">Most entries: where there are more, files are left out evenly.</param>
    /// <exception cref="FormatException">No such file, one that is not safetensors, or a value that is not finite.</exception>
    public static DenseUpdate Read(string folder, int most)
    {
        string[] files = [.. Directory.GetFiles(folder, "*" + KeptUpdate.Extension).Order(StringComparer.Ordinal)];
        if (files.Length == 0) throw new FormatException($"{folder}: expected {KeptUpdate.Extension} files of run --keep-updates, found none");
        long[] lengths = [.. files.Select(LengthOf)];
        int[] chosen = Choose(lengths, most);
        float[] values = new float[chosen.Sum(index => lengths[index])];
        if (values.Length == 0) throw new FormatException($"{folder}: expected files of 1 to {most} entries (--entries), found none");
        var tensors = new List<LoraTensor>();
        int offset = 0;
        foreach (int index in chosen) offset = Append(files[index], tensors, values, offset);
        Scale(values);
        return new DenseUpdate(NameOf(folder), new LoraLayout(tensors), values);
    }

    /// <summary>The last two parts of the path, which name run and folder without telling where they lie.</summary>
    private static string NameOf(string folder)
    {
        string path = Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder));
        string? parent = Path.GetFileName(Path.GetDirectoryName(path));
        return string.IsNullOrEmpty(parent) ? Path.GetFileName(path) : $"{parent}/{Path.GetFileName(path)}";
    }

    private static long LengthOf(string path)
    {
        using SafetensorsFile file = SafetensorsFile.Open(path);
        return file.Tensors.Sum(CountOf);
    }

    private static int[] Choose(long[] lengths, int most)
    {
        int step = (int)Math.Max(1, (lengths.Sum() + most - 1) / most);
        var chosen = new List<int>();
        long taken = 0;
        for (int index = 0; index < lengths.Length; index += step)
        {
            if (lengths[index] > most - taken) continue;
            chosen.Add(index);
            taken += lengths[index];
        }
        return [.. chosen];
    }

    private static int Append(string path, List<LoraTensor> tensors, float[] values, int offset)
    {
        using SafetensorsFile file = SafetensorsFile.Open(path);
        foreach (TensorEntry entry in file.Tensors)
        {
            int length = (int)CountOf(entry);
            if (length == 0) continue;
            Span<float> part = values.AsSpan(offset, length);
            file.Read(entry.Name, part);
            foreach (float value in part)
                if (!float.IsFinite(value)) throw new FormatException($"{path}: {entry.Name}: expected finite numbers, found {value}");
            LoraRole role = entry.Name.Contains(".lora_B.", StringComparison.Ordinal) ? LoraRole.B : LoraRole.A;
            int rows = entry.Shape.Count == 2 ? (int)entry.Shape[0] : 1;
            tensors.Add(new LoraTensor($"{Path.GetFileName(path)}/{entry.Name}", role, rows, length / rows, offset));
            offset += length;
        }
        return offset;
    }

    private static long CountOf(TensorEntry entry) => entry.Shape.Aggregate(1L, (product, dimension) => product * dimension);

    private static void Scale(float[] values)
    {
        float largest = values.Max(MathF.Abs);
        if (largest == 0) return;
        int exponent = 14 - Math.ILogB(largest);
        foreach (ref float value in values.AsSpan()) value = MathF.ScaleB(value, exponent);
    }
}
