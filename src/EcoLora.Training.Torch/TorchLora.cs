using System.Runtime.InteropServices;
using EcoLora.Codec;
using EcoLora.Numerics;
using TorchSharp;
using static TorchSharp.torch;

namespace EcoLora.Training.Torch;

/// <summary>One linear layer's pair on the device, in binary32.</summary>
/// <param name="Place">Where it is in the vector.</param>
/// <param name="A">[r, n].</param>
/// <param name="B">[m, r].</param>
/// <param name="Scale">s.</param>
internal sealed record TorchPair(LoraPair Place, Tensor A, Tensor B, double Scale)
{
    /// <summary>s·(x·Aᵀ)·Bᵀ, in the type of x: a pair is rounded to it on the way, and its gradient is binary32.</summary>
    public Tensor Apply(Tensor x)
    {
        using DisposeScope scope = NewDisposeScope();
        Tensor hidden = nn.functional.linear(x, A.to(x.dtype)) * Scale;
        return nn.functional.linear(hidden, B.to(x.dtype)).MoveToOuterDisposeScope();
    }
}

/// <summary>An adapter on the device: views of one copied vector, each a leaf of its own where it trains, so that no gradient is as large as the whole vector.</summary>
internal sealed class TorchLora : IDisposable
{
    private readonly TorchPair?[] _pairs;

    /// <summary>Copies a vector to the device, into the current scope.</summary>
    /// <param name="plan">Its layout.</param>
    /// <param name="adapter">The vector.</param>
    /// <param name="device">Where to.</param>
    /// <param name="trains">Whether its gradient will be asked for.</param>
    public TorchLora(LoraPlan plan, ReadOnlySpan<float> adapter, Device device, bool trains)
    {
        Tensor vector = TorchTransfer.ToDevice<float>(adapter, ScalarType.Float32, device);
        _pairs = [.. plan.Pairs.Select(pair => pair is null ? null : new TorchPair(pair, Leaf(pair.A, trains && !plan.Options.FreezeA), Leaf(pair.B, trains), plan.Options.Scale))];

        Tensor Leaf(LoraTensor tensor, bool isTrained) =>
            vector.narrow(0, tensor.Offset, tensor.Length).view(tensor.Rows, tensor.Columns).detach().requires_grad_(isTrained);
    }

    /// <summary>The pair of a linear layer, or null.</summary>
    public TorchPair? this[int layer, LinearKind kind] => _pairs[LoraPlan.Slot(layer, kind)];

    /// <summary>Takes the adapter out of its scope: it is there until it is disposed.</summary>
    public TorchLora Detach()
    {
        foreach (TorchPair? pair in _pairs)
        {
            pair?.A.DetachFromDisposeScope();
            pair?.B.DetachFromDisposeScope();
        }
        return this;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (TorchPair? pair in _pairs)
        {
            pair?.A.Dispose();
            pair?.B.Dispose();
        }
    }

    /// <summary>Adds the gradient to a vector of the layout: one copy from the device.</summary>
    public void AddGradient(Span<float> gradient)
    {
        using DisposeScope scope = NewDisposeScope();
        (LoraTensor Tensor, Tensor? Gradient)[] leaves =
        [
            .. _pairs.OfType<TorchPair>().SelectMany(pair => ((LoraTensor Tensor, Tensor? Gradient)[])[(pair.Place.A, pair.A.grad), (pair.Place.B, pair.B.grad)])
                .Where(leaf => leaf.Gradient is not null),
        ];
        if (leaves.Length == 0) return;
        ReadOnlySpan<float> all = MemoryMarshal.Cast<byte, float>(cat([.. leaves.Select(leaf => leaf.Gradient!.flatten())], 0).cpu().bytes);
        foreach ((LoraTensor tensor, _) in leaves)
        {
            VectorMath.Axpy(1f, all[..tensor.Length], tensor.In(gradient));
            all = all[tensor.Length..];
        }
    }
}

/// <summary>Copies between spans and the device.</summary>
internal static class TorchTransfer
{
    /// <summary>Bytes of an entry of a type that weights and activations have.</summary>
    public static int SizeOf(ScalarType type) => type == ScalarType.Float32 ? 4 : 2;

    /// <summary>A vector on the device, in the current scope.</summary>
    public static Tensor ToDevice<T>(ReadOnlySpan<T> values, ScalarType type, Device device)
        where T : unmanaged
    {
        Tensor staging = empty([values.Length], type);
        MemoryMarshal.AsBytes(values).CopyTo(staging.bytes);
        return staging.to(device);
    }

    /// <summary>Indexes on the device.</summary>
    public static Tensor Indexes(ReadOnlySpan<int> values, Device device)
    {
        long[] wide = new long[values.Length];
        for (int i = 0; i < wide.Length; i++) wide[i] = values[i];
        return ToDevice<long>(wide, ScalarType.Int64, device);
    }

    /// <summary>The entries of a binary32 tensor.</summary>
    public static void ToHost(Tensor tensor, Span<float> destination)
    {
        using Tensor host = tensor.cpu().contiguous();
        MemoryMarshal.Cast<byte, float>(host.bytes).CopyTo(destination);
    }
}
