using EcoLora.Hosting;
using EcoLora.Services.Codec;

return await ServiceHost.RunAsync(CodecApp.Define);
