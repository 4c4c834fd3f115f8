namespace EcoLora.Training.Tests;

/// <summary>The managed kernels.</summary>
public sealed class ManagedBackendTests : BackendConformance
{
    /// <inheritdoc/>
    protected override IModelBackend Backend => ManagedBackend.Instance;
}
