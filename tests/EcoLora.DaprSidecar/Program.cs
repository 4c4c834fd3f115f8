using EcoLora.DaprSidecar;

SidecarOptions options;
try
{
    options = SidecarOptions.Parse(args);
}
catch (FormatException error)
{
    await Console.Error.WriteLineAsync(error.Message);
    return 2;
}
try
{
    return await Sidecar.RunAsync(options);
}
catch (Exception error) when (error is FormatException or StackExchange.Redis.RedisConnectionException or IOException)
{
    // As daprd: a component that cannot be read or reached ends the process.
    await Console.Error.WriteLineAsync($"fatal: {error.Message}");
    return 1;
}
