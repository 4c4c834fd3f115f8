using EcoLora.Hosting;
using EcoLora.Services.Aggregator;

return await ServiceHost.RunAsync(AggregatorApp.Define);
