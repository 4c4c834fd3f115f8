namespace EcoLora.Codec;

/// <summary>Which factor of ΔW = (α/r)·B·A a tensor is.</summary>
public enum LoraRole : byte
{
    /// <summary>A ∈ R^{r×n}: from the module's n inputs down to the rank.</summary>
    A = 0,

    /// <summary>B ∈ R^{m×r}: from the rank up to the module's m outputs.</summary>
    B = 1,
}

/// <summary>A linear layer that carries a LoRA pair.</summary>
/// <param name="Name">Hugging Face name without the suffix, such as <c>model.layers.0.self_attn.q_proj</c>.</param>
/// <param name="Outputs">m, the rows of the layer's weight.</param>
/// <param name="Inputs">n, the columns of the layer's weight.</param>
/// <param name="Rank">r of this module's pair.</param>
public sealed record LoraModule(string Name, int Outputs, int Inputs, int Rank);

/// <summary>One tensor inside the LoRA vector, row-major.</summary>
/// <param name="Module">The module that it belongs to.</param>
/// <param name="Role">A [r, n] or B [m, r].</param>
/// <param name="Rows">r for A, m for B.</param>
/// <param name="Columns">n for A, r for B.</param>
/// <param name="Offset">Index of its first entry in the vector.</param>
public sealed record LoraTensor(string Module, LoraRole Role, int Rows, int Columns, int Offset)
{
    /// <summary>Number of entries.</summary>
    public int Length => Rows * Columns;

    /// <summary>Index after its last entry in the vector.</summary>
    public int End => Offset + Length;

    /// <summary>This tensor's entries in a vector of the layout.</summary>
    public Span<T> In<T>(Span<T> vector) => vector.Slice(Offset, Length);

    /// <summary>This tensor's entries in a vector of the layout.</summary>
    public ReadOnlySpan<T> In<T>(ReadOnlySpan<T> vector) => vector.Slice(Offset, Length);
}

/// <summary>
/// The order of the LoRA parameters in one vector: by layer, then module, A before B, row-major (method.md, step 4). A layout is a value that
/// a method supplies; two sites that disagree about it must never exchange a frame, which <see cref="Fingerprint"/> makes sure of.
/// </summary>
public sealed class LoraLayout
{
    private readonly int[] _moduleStarts;

    /// <summary>Makes a layout of consecutive tensors.</summary>
    /// <param name="tensors">The tensors.</param>
    /// <param name="isCutAtModules">Whether segments are whole modules.</param>
    /// <exception cref="ArgumentException">The tensors do not follow each other from offset 0, or there is none.</exception>
    public LoraLayout(IReadOnlyList<LoraTensor> tensors, bool isCutAtModules = false)
    {
        long offset = 0;
        foreach (LoraTensor tensor in tensors)
        {
            if (tensor.Rows < 1 || tensor.Columns < 1)
                throw new ArgumentException(
                    $"tensor {tensor.Module}.{tensor.Role}: expected a positive shape, found [{tensor.Rows}, {tensor.Columns}]", nameof(tensors));
            if (tensor.Offset != offset)
                throw new ArgumentException($"tensor {tensor.Module}.{tensor.Role}: expected offset {offset}, found {tensor.Offset}", nameof(tensors));
            offset += (long)tensor.Rows * tensor.Columns;
            if (offset > int.MaxValue)
                throw new ArgumentException($"a LoRA vector holds at most {int.MaxValue} entries, found {offset} up to {tensor.Module}", nameof(tensors));
        }
        if (offset == 0) throw new ArgumentException("a LoRA layout needs at least one tensor", nameof(tensors));
        Tensors = [.. tensors];
        Length = (int)offset;
        IsCutAtModules = isCutAtModules;
        _moduleStarts = [.. Tensors.Where((tensor, i) => i == 0 || tensor.Module != Tensors[i - 1].Module).Select(tensor => tensor.Offset), Length];
        Fingerprint = ComputeFingerprint();
    }

    /// <summary>The tensors in their order.</summary>
    public IReadOnlyList<LoraTensor> Tensors { get; }

    /// <summary>|P|, the number of entries of the vector.</summary>
    public int Length { get; }

    /// <summary>Whether a segment is whole modules, A with B (FLoRA), so that the products B·A of a segment can be made; else a cut may run through a tensor.</summary>
    public bool IsCutAtModules { get; }

    /// <summary>Most segments that the vector can be cut into: its modules, or its entries.</summary>
    public int MostSegments => IsCutAtModules ? _moduleStarts.Length - 1 : Length;

    /// <summary>
    /// First 8 bytes, little-endian, of SHA-256 over one line <c>module role rows columns</c> per tensor, and the line <c>segments modules</c> where segments are whole modules.
    /// </summary>
    public ulong Fingerprint { get; }

    /// <summary>Segment s of N_s: equal shares of the entries, or, with M modules, modules [⌊s·M/N_s⌋, ⌊(s+1)·M/N_s⌋).</summary>
    /// <exception cref="ArgumentOutOfRangeException">The segment is not one of N_s, or N_s is not in 1..<see cref="MostSegments"/>.</exception>
    public SegmentRange Range(int segment, int segments)
    {
        SegmentRange range = Segmentation.Range(segment, segments, MostSegments);
        return IsCutAtModules ? new SegmentRange(_moduleStarts[range.Start], _moduleStarts[range.End]) : range;
    }

    /// <summary>The full layout of the given modules: for each, A [r, n] then B [m, r].</summary>
    /// <exception cref="ArgumentException">No module, a rank below 1, or too many entries.</exception>
    public static LoraLayout Of(IEnumerable<LoraModule> modules)
    {
        var tensors = new List<LoraTensor>();
        long offset = 0;
        foreach (LoraModule module in modules)
        {
            Append(module, LoraRole.A, module.Rank, module.Inputs);
            Append(module, LoraRole.B, module.Outputs, module.Rank);
        }
        return new LoraLayout(tensors);

        void Append(LoraModule module, LoraRole role, int rows, int columns)
        {
            if (offset > int.MaxValue)
                throw new ArgumentException($"a LoRA vector holds at most {int.MaxValue} entries, found more up to {module.Name}", nameof(modules));
            tensors.Add(new LoraTensor(module.Name, role, rows, columns, (int)offset));
            offset += (long)rows * columns;
        }
    }

    /// <summary>The layout that keeps only the tensors of one role, closed up (FFA-LoRA exchanges only B).</summary>
    public LoraLayout Only(LoraRole role)
    {
        var kept = new List<LoraTensor>();
        int offset = 0;
        foreach (LoraTensor tensor in Tensors)
        {
            if (tensor.Role != role) continue;
            kept.Add(tensor with { Offset = offset });
            offset += tensor.Length;
        }
        return new LoraLayout(kept);
    }

    /// <summary>The same tensors, with segments that are whole modules.</summary>
    public LoraLayout CutAtModules() => new(Tensors, isCutAtModules: true);

    private ulong ComputeFingerprint()
    {
        var text = new System.Text.StringBuilder();
        foreach (LoraTensor t in Tensors) text.Append(System.Globalization.CultureInfo.InvariantCulture, $"{t.Module} {t.Role} {t.Rows} {t.Columns}\n");
        if (IsCutAtModules) text.Append("segments modules\n");
        byte[] digest = System.Security.Cryptography.SHA256.HashData(System.Text.Encoding.UTF8.GetBytes(text.ToString()));
        return System.Buffers.Binary.BinaryPrimitives.ReadUInt64LittleEndian(digest);
    }
}
