using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text.Json.Nodes;
using EcoLora.Formats.Peft;
using EcoLora.Formats.Safetensors;
using EcoLora.Numerics;
using EcoLora.TestKit;

namespace EcoLora.Formats.Tests.Peft;

public sealed class PeftAdapterTests : IDisposable
{
    private const string Weights = "adapter_model.safetensors", Config = "adapter_config.json";
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void An_adapter_comes_back_bit_for_bit()
    {
        PeftAdapter adapter = Mixed();
        adapter.Write(_folder["adapter"]);
        PeftAdapter read = PeftAdapter.Read(_folder["adapter"]);
        Assert.Equal((adapter.BaseModel, adapter.Dropout), (read.BaseModel, read.Dropout));
        Assert.Equal(["model.layers.2.self_attn.q_proj", "model.layers.2.self_attn.v_proj", "model.layers.10.self_attn.q_proj"],
            read.Modules.Select(m => m.Name));
        foreach (PeftModule module in read.Modules)
        {
            PeftModule written = adapter.Modules.Single(m => m.Name == module.Name);
            Assert.Equal(written with { A = module.A, B = module.B }, module);
            Assert.Equal(MemoryMarshal.AsBytes<float>(written.A), MemoryMarshal.AsBytes<float>(module.A));
            Assert.Equal(MemoryMarshal.AsBytes<float>(written.B), MemoryMarshal.AsBytes<float>(module.B));
        }
    }

    [Fact]
    public void The_files_are_PEFTs()
    {
        Mixed().Write(_folder["adapter"]);
        using SafetensorsFile file = SafetensorsFile.Open(_folder["adapter/" + Weights]);
        Assert.Equal(
            ["base_model.model.model.layers.10.self_attn.q_proj.lora_A.weight", "base_model.model.model.layers.10.self_attn.q_proj.lora_B.weight"],
            file.Tensors.Take(2).Select(t => t.Name));
        Assert.Equal((IEnumerable<long>)[4, 6], file["base_model.model.model.layers.2.self_attn.q_proj.lora_A.weight"].Shape);
        Assert.Equal((IEnumerable<long>)[8, 4], file["base_model.model.model.layers.2.self_attn.q_proj.lora_B.weight"].Shape);
        Assert.Equal(
            """
            {
              "alpha_pattern": {
                "model.layers.10.self_attn.q_proj": 4.5
              },
              "auto_mapping": null,
              "base_model_name_or_path": "stories",
              "bias": "none",
              "fan_in_fan_out": false,
              "inference_mode": true,
              "init_lora_weights": true,
              "lora_alpha": 8,
              "lora_dropout": 0.05,
              "modules_to_save": null,
              "peft_type": "LORA",
              "r": 4,
              "rank_pattern": {
                "model.layers.10.self_attn.q_proj": 2
              },
              "revision": null,
              "target_modules": [
                "q_proj",
                "v_proj"
              ],
              "task_type": "CAUSAL_LM",
              "use_dora": false,
              "use_rslora": false
            }
            """, File.ReadAllText(_folder["adapter/" + Config]));
    }

    [Fact]
    public void The_order_of_the_modules_changes_no_byte_and_a_former_folder_is_replaced()
    {
        PeftAdapter adapter = Mixed();
        adapter.Write(_folder["first"]);
        Directory.CreateDirectory(_folder["second"]);
        File.WriteAllText(_folder["second/stale"], "");
        (adapter with { Modules = [.. adapter.Modules.Reverse()] }).Write(_folder["second"]);
        Assert.Equal([_folder["first"], _folder["second"]], Directory.GetFileSystemEntries(_folder.Path).Order());
        Assert.Equal([Config, Weights], Directory.GetFiles(_folder["second"]).Select(Path.GetFileName).Order());
        foreach (string name in (string[])[Config, Weights])
            Assert.Equal(File.ReadAllBytes(Path.Combine(_folder["first"], name)), File.ReadAllBytes(Path.Combine(_folder["second"], name)));
    }

    /// <summary>tools/golden/formats_peft_reader.py knows only the formats' descriptions and Python's standard library.</summary>
    [Fact]
    public void An_independent_reader_finds_the_same_numbers()
    {
        PeftAdapter adapter = Mixed();
        adapter.Write(_folder["adapter"]);
        string script = Path.Combine(Repository.Root, "tools/golden/formats_peft_reader.py");
        var start = new ProcessStartInfo("python3", [script, _folder["adapter"]]) { RedirectStandardOutput = true };
        string output;
        try
        {
            using Process process = Process.Start(start)!;
            output = process.StandardOutput.ReadToEnd();
            process.WaitForExit();
            Assert.Equal(0, process.ExitCode);
        }
        catch (Win32Exception fault)
        {
            Assert.Skip($"needs python3: {fault.Message}");
            return;
        }
        IEnumerable<string> expected = adapter.Modules.OrderBy(m => m.Name, StringComparer.Ordinal).Select(m => string.Create(
            CultureInfo.InvariantCulture, $"{m.Name} {m.Rank} {m.Alpha} {m.Inputs} {m.Outputs} {Digest(m.A)} {Digest(m.B)}\n"));
        Assert.Equal(string.Concat(expected), output.ReplaceLineEndings("\n"));

        static string Digest(float[] values) => Convert.ToHexStringLower(SHA256.HashData(MemoryMarshal.AsBytes<float>(values)));
    }

    [Theory]
    [InlineData("rank_pattern", """{"q_proj":4,"layers.10.self_attn.q_proj":4}""",
        "module 'model.layers.10.self_attn.q_proj': expected lora_A with 4 rows, as the config's rank, found 2 × 6")]
    [InlineData("rank_pattern", "{}", "expected lora_A with 4 rows")]
    [InlineData("rank_pattern", """{".*q_proj":2}""", "expected a module's name or its end as the key (q_proj,")]
    [InlineData("r", "0", "adapter_config.json: field 'r': expected an integer from 1 to 65536, found 0")]
    [InlineData("r", "5", "expected lora_A with 5 rows, as the config's rank, found 4 × 6")]
    [InlineData("r", "", "field 'r': expected an integer from 1 to 65536, found no such field")]
    [InlineData("lora_alpha", "null", "field 'lora_alpha': expected a number from 0")]
    [InlineData("peft_type", "\"IA3\"", "field 'peft_type': expected LORA, found \"IA3\"")]
    [InlineData("bias", "\"all\"", "field 'bias': expected none, found \"all\"")]
    [InlineData("use_dora", "true", "field 'use_dora': expected false, found true")]
    [InlineData("use_rslora", "1", "field 'use_rslora': expected true or false, found 1")]
    [InlineData("rank_pattern", """{"^layers.10.self_attn.q_proj":2}""", "expected lora_A with 4 rows, as the config's rank, found 2 × 6")]
    [InlineData("rank_pattern", """{"^":2}""", "expected a module's name or its end as the key")]
    [InlineData("fan_in_fan_out", "true", "field 'fan_in_fan_out': expected false, found true")]
    [InlineData("modules_to_save", "[\"lm_head\"]", "field 'modules_to_save': expected null, found a list")]
    [InlineData("init_lora_weights", "\"pissa\"", "field 'init_lora_weights': expected true, false")]
    [InlineData("target_modules", "[\"q_proj\"]", "expected a target for module 'model.layers.2.self_attn.v_proj'")]
    public void Settings_that_change_the_meaning_are_refused(string field, string value, string expected)
    {
        Mixed().Write(_folder["adapter"]);
        Change(field, value);
        string message = Assert.Throws<PeftException>(() => PeftAdapter.Read(_folder["adapter"])).Message;
        Assert.Contains(expected, message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("target_modules", "\"all-linear\"")]
    [InlineData("target_modules", "[\"self_attn.q_proj\",\"model.layers.2.self_attn.v_proj\"]")]
    [InlineData("modules_to_save", "[]")]
    [InlineData("init_lora_weights", "\"gaussian\"")]
    [InlineData("rank_pattern", """{"layers.10.self_attn.q_proj":2}""")]
    [InlineData("rank_pattern", """{"^model.layers.10.self_attn.q_proj":2}""")]
    [InlineData("rank_pattern", """{"layers.10.self_attn.q_proj":2,"q_proj":4}""")]
    [InlineData("alpha_pattern", "null")]
    public void Settings_without_effect_here_are_accepted(string field, string value)
    {
        Mixed().Write(_folder["adapter"]);
        Change(field, value);
        Assert.Equal(3, PeftAdapter.Read(_folder["adapter"]).Modules.Count);
    }

    [Fact]
    public void Each_module_is_scaled_by_its_own_rank_and_alpha()
    {
        foreach ((bool stabilised, double first, double others) in ((bool, double, double)[])[(false, 4.5 / 2, 8.0 / 4), (true, 4.5 / Math.Sqrt(2), 8.0 / 2)])
        {
            (Mixed() with { UseRsLora = stabilised }).Write(_folder["adapter"]);
            PeftAdapter read = PeftAdapter.Read(_folder["adapter"]);
            Assert.Equal(stabilised, read.UseRsLora);
            Assert.Equal([others, others, first], read.Modules.Select(read.ScaleOf));
        }
    }

    [Theory]
    [InlineData("base_model.model.m.lora_A.weight", 2, 3, "tensor 'base_model.model.m.lora_B.weight': expected this tensor, found none of that name")]
    [InlineData("base_model.model.m.lora_A.default.weight", 2, 3, "expected base_model.model.….lora_A.weight or ….lora_B.weight, found another name")]
    [InlineData("base_model.model..lora_A.weight", 2, 3, "found another name")]
    [InlineData("lora_A.weight", 2, 3, "found another name")]
    [InlineData("base_model.model.m.lora_A.weight", 0, 3, "expected a matrix, found 0 × 3")]
    public void Wrong_tensors_are_refused(string name, int rows, int columns, string expected)
    {
        Mixed().Write(_folder["adapter"]);
        SafetensorsWriter.Write(_folder["adapter/" + Weights], [new(name, [rows, columns], new float[rows * columns])]);
        Assert.Contains(expected, Assert.Throws<PeftException>(() => PeftAdapter.Read(_folder["adapter"])).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Missing_files_are_named()
    {
        Assert.Contains("expected an adapter folder, found none", Assert.Throws<PeftException>(() => PeftAdapter.Read(_folder["absent"])).Message,
            StringComparison.Ordinal);
        Assert.Contains("adapter_config.json: expected a file, found none", Assert.Throws<PeftException>(() => PeftAdapter.Read(_folder.Path)).Message,
            StringComparison.Ordinal);
        Mixed().Write(_folder["adapter"]);
        File.Delete(_folder["adapter/" + Weights]);
        Assert.Contains("adapter_model.safetensors: expected a file, found none",
            Assert.Throws<PeftException>(() => PeftAdapter.Read(_folder["adapter"])).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Adapters_that_do_not_fit_together_are_not_written()
    {
        PeftModule module = Mixed().Modules[0];
        Assert.Throws<ArgumentException>(() => new PeftAdapter("b", []).Write(_folder["adapter"]));
        Assert.Throws<ArgumentException>(() => new PeftAdapter("b", [module, module]).Write(_folder["adapter"]));
        Assert.Throws<ArgumentException>(() => new PeftAdapter("b", [module with { Rank = 3 }]).Write(_folder["adapter"]));
        Assert.Throws<ArgumentException>(() => new PeftAdapter("b", [module with { Alpha = double.NaN }]).Write(_folder["adapter"]));
        Assert.Empty(Directory.GetFileSystemEntries(_folder.Path));
    }

    [Fact]
    public void Mutated_adapters_are_read_or_refused()
    {
        Mixed().Write(_folder["adapter"]);
        var random = new RandomStream(23, "mutations");
        int refused = 0;
        foreach (string name in (string[])[Config, Weights])
        {
            string path = Path.Combine(_folder["adapter"], name);
            byte[] good = File.ReadAllBytes(path);
            for (int n = 0; n < 1_500; n++)
            {
                File.WriteAllBytes(path, Mutation.Of(good, random));
                try
                {
                    PeftAdapter.Read(_folder["adapter"]);
                }
                catch (PeftException fault)
                {
                    Assert.DoesNotContain('\n', fault.Message);
                    refused++;
                }
            }
            File.WriteAllBytes(path, good);
        }
        Assert.InRange(refused, 1_500, 2_950);
    }

    private static PeftAdapter Mixed()
    {
        var random = new RandomStream(3, "adapter");
        return new PeftAdapter("stories", [Make("model.layers.10.self_attn.q_proj", 2, 4.5, 8), Make("model.layers.2.self_attn.v_proj", 4, 8, 4),
            Make("model.layers.2.self_attn.q_proj", 4, 8, 8)], 0.05);

        PeftModule Make(string name, int rank, double alpha, int outputs) => new(name, rank, alpha, 6, outputs, Draw(rank * 6), Draw(outputs * rank));

        // Any bits at all, NaN and subnormals too: an adapter is copied, not computed.
        float[] Draw(int count) => [.. Enumerable.Range(0, count).Select(_ => BitConverter.UInt32BitsToSingle((uint)random.NextUInt64()))];
    }

    private void Change(string field, string value)
    {
        string path = _folder["adapter/" + Config];
        JsonObject config = JsonNode.Parse(File.ReadAllText(path))!.AsObject();
        config.Remove(field);
        if (value.Length > 0) config[field] = JsonNode.Parse(value);
        File.WriteAllText(path, config.ToJsonString());
    }
}
