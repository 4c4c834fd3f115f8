using EcoLora.Local;

return await CommandLineEntry.RunAsync(
    (request, _) => throw new NotSupportedException($"this build cannot run '{request.File.Name}' yet"),
    args);
