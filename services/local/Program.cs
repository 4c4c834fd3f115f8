using EcoLora.Local;
using EcoLora.Local.Runs;

return await CommandLineEntry.RunAsync(RunProgram.RunAsync, args);
