namespace EcoLora.Hosting;

/// <summary>A file of a finished run's adapter, as the aggregator lists it.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Bytes">Its length.</param>
public sealed record AdapterFile(string Name, long Bytes);
