using EcoLora.Hosting;
using EcoLora.Services.Trainer;

return await ServiceHost.RunAsync(TrainerApp.Define);
