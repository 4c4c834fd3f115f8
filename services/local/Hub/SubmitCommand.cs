using System.CommandLine;
using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using EcoLora.Hosting;

namespace EcoLora.Local.Hub;

/// <summary><c>ecolora submit</c>: hands a run file to the scheduler of a running system.</summary>
internal static class SubmitCommand
{
    private const string Details =
        "Model and data travel by name only: trainers find them where their own ECOLORA_MODELS and ECOLORA_DATA say. Dense baselines are left out; they belong to\n"
        + "ecolora run. Submitting the same run again changes nothing. The token that the scheduler asks for is read from APP_API_TOKEN.";

    private static readonly TimeSpan _pause = TimeSpan.FromSeconds(1);

    public static Command Create()
    {
        var file = new Argument<string>("file") { Description = "The run file (YAML).", HelpName = "FILE.yaml" };
        Option<string[]> data = Arguments.Paths("--data", "FILE", "Data instead of the file's data.files; can be given several times.");
        Option<string?> model = Arguments.Path("--model", "DIR", "Base model instead of the file's model.");
        Option<string[]> set = Arguments.Set();
        var to = new Option<string>("--to") { Description = "The scheduler.", HelpName = "URL", DefaultValueFactory = _ => "http://127.0.0.1:5100" };
        var wait = new Option<bool>("--wait") { Description = "Follow the run to its end." };
        Option<bool> json = Arguments.Json("the run's status");
        var command = new DocumentedCommand("submit", "Hand a run to the services that ecolora up has started.", Details,
            "ecolora submit samples/quickstart.yaml --wait", "ecolora submit samples/quickstart.yaml --set name=again --set seed=2 --to http://127.0.0.1:5100")
        {
            file, model, data, set, to, wait, json,
        };
        command.SetAction(async (parsed, cancellation) =>
        {
            RunFile run = RunFileArguments.Read(parsed.GetRequiredValue(file), parsed.GetValue(model), parsed.GetRequiredValue(data), null, parsed.GetRequiredValue(set));
            string address = parsed.GetRequiredValue(to);
            if (!Uri.TryCreate(address, UriKind.Absolute, out Uri? uri) || uri.Scheme is not ("http" or "https"))
                throw new ArgumentException($"--to: expected an http or https address, found '{address}'");
            using var scheduler = new HttpClient { BaseAddress = uri };
            if (Environment.GetEnvironmentVariable("APP_API_TOKEN") is { Length: > 0 } token) scheduler.DefaultRequestHeaders.Add("dapr-api-token", token);
            await SubmitAsync(scheduler, run, parsed.GetValue(wait), parsed.GetValue(json), cancellation);
            return ExitCodes.Success;
        });
        return command;
    }

    private static async Task SubmitAsync(HttpClient scheduler, RunFile run, bool follow, bool json, CancellationToken cancellation)
    {
        JsonElement options = AnnouncedOptions.Of(run);
        JsonElement status = await AskAsync(scheduler, () => scheduler.PostAsJsonAsync("/runs", options, cancellation), cancellation);
        string last = "";
        while (true)
        {
            string line = Line(status);
            if (!json && line != last) Console.Out.WriteLine(last = line);
            if (!follow || Text(status, "state") == "finished") break;
            await Task.Delay(_pause, cancellation);
            status = await AskAsync(scheduler, () => scheduler.GetAsync(new Uri($"/runs/{run.Name}", UriKind.Relative), cancellation), cancellation);
        }
        if (json) Console.Out.WriteLine(status.GetRawText());
    }

    private static async Task<JsonElement> AskAsync(HttpClient scheduler, Func<Task<HttpResponseMessage>> ask, CancellationToken cancellation)
    {
        HttpResponseMessage response;
        try
        {
            response = await ask();
        }
        catch (HttpRequestException failure)
        {
            throw new IOException($"{scheduler.BaseAddress}: expected a scheduler, found none ({failure.Message}); start the services: ecolora up");
        }
        using (response)
        {
            if (response.IsSuccessStatusCode) return await response.Content.ReadFromJsonAsync<JsonElement>(cancellation);
            string answer = response.StatusCode == HttpStatusCode.Unauthorized ? "its token is expected in APP_API_TOKEN" : await response.Content.ReadAsStringAsync(cancellation);
            string refusal = $"{scheduler.BaseAddress}: {(int)response.StatusCode}: {answer}";
            throw (int)response.StatusCode >= 500 ? new IOException(refusal) : new ArgumentException(refusal);
        }
    }

    /// <summary>Where a run is, in one line.</summary>
    private static string Line(JsonElement status)
    {
        string name = Text(status, "name"), state = Text(status, "state");
        if (state == "enrolling")
        {
            int trainers = status.GetProperty("trainers").GetArrayLength(), missing = status.GetProperty("missing").GetArrayLength();
            string refused = status.TryGetProperty("refusal", out JsonElement refusal) ? $"; refused {refusal.GetString()}" : "";
            return $"{name}: enrolling: {trainers} trainers, {missing} clients without one{refused}";
        }
        string line = $"{name}: {state}: round {status.GetProperty("published")}/{status.GetProperty("rounds")}";
        if (status.TryGetProperty("evaluation", out JsonElement evaluation))
        {
            string loss = evaluation.GetProperty("score").GetProperty("loss").GetDouble().ToString("f4", System.Globalization.CultureInfo.InvariantCulture);
            line += $", held-out loss {loss} at version {evaluation.GetProperty("version")}";
        }
        return status.TryGetProperty("adapter", out JsonElement adapter) ? $"{line}, adapter {adapter.GetString()}" : line;
    }

    private static string Text(JsonElement status, string name) => status.GetProperty(name).GetString()!;
}
