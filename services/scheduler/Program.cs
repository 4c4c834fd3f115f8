using EcoLora.Hosting;
using EcoLora.Services.Scheduler;

return await ServiceHost.RunAsync(SchedulerApp.Define);
