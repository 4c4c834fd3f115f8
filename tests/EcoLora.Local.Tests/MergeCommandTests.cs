using System.Text.Json.Nodes;
using EcoLora.Formats.HuggingFace;
using EcoLora.TestKit;

namespace EcoLora.Local.Tests;

public sealed class MergeCommandTests(PretrainedModel pretrained) : IClassFixture<PretrainedModel>
{
    private static readonly string[] All = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"];

    private readonly TemporaryFolder _folder = pretrained.Folder;
    private readonly string _model = pretrained.Model;

    [Theory]
    [InlineData("f32", false, 1e-6)]
    [InlineData("f32", true, 1e-6)]
    [InlineData("f16", true, 1e-3)]
    [InlineData("bf16", false, 1e-2)]
    public void A_merged_model_evaluates_as_the_base_with_the_adapter(string type, bool rslora, double tolerance)
    {
        ModelConfig config = ModelFolder.ReadConfig(_model);
        string adapter = _folder[$"adapter-{rslora}"], merged = _folder[$"merged-{type}-{rslora}"];
        RandomModel.Adapter(config, All, rslora, 0.3).Write(adapter);
        string output = Ecolora.Succeed("merge", "--model", _model, "--adapter", adapter, "--out", merged, "--dtype", type, "--json");
        JsonNode result = JsonNode.Parse(output)!;
        long parameters = config.Tensors().Sum(tensor => tensor.Shape.Aggregate(1L, (product, dimension) => product * dimension));
        Assert.Equal(("merge", merged, parameters, type.ToUpperInvariant(), parameters * (type == "f32" ? 4 : 2), 1),
            ((string?)result["kind"], (string?)result["folder"], (long)result["parameters"]!, (string?)result["types"], (long)result["bytes"]!, (int)result["files"]!));

        Ecolora.Succeed("data", "generate", "--records", "100", "--out", _folder["tasks.jsonl"]);
        string[] arguments = ["eval", "--data", _folder["tasks.jsonl"], "--no-exact-match", "--json", "--model"];
        double Loss(params string[] model) => (double)JsonNode.Parse(Ecolora.Succeed([.. arguments, .. model]))!["loss"]!;
        double expected = Loss(_model, "--adapter", adapter);
        Assert.Equal(expected, Loss(merged), tolerance);
        Assert.InRange(Math.Abs(expected - Loss(_model)), 0.05, 100);
    }

    [Fact]
    public void Folders_that_are_in_use_are_refused_unless_they_hold_a_model_and_are_forced()
    {
        RandomModel.Adapter(ModelFolder.ReadConfig(_model), ["o_proj"], rslora: false, 0.3).Write(_folder["adapter"]);
        string[] arguments = ["merge", "--model", _model, "--adapter", _folder["adapter"], "--out"];
        Assert.Equal(new Outcome(ExitCodes.BadInput, "", $"ecolora: {_model}: expected a folder without the base model, found {_model} there\n"),
            Ecolora.Run([.. arguments, _model, "--force"]));
        Assert.Equal(ExitCodes.BadInput, Ecolora.Run([.. arguments, _folder.Path, "--force"]).Code);
        Directory.CreateDirectory(_folder["other"]);
        File.WriteAllText(_folder["other/precious.txt"], "");
        Assert.Equal(ExitCodes.FolderRefused, Ecolora.Run([.. arguments, _folder["other"], "--force"]).Code);
        Assert.Matches("^model +parameters +stored as +weights +files\n.* F32 ", Ecolora.Succeed([.. arguments, _folder["merged"]]));
        Assert.Equal(new Outcome(ExitCodes.FolderRefused, "", $"ecolora: {_folder["merged"]} holds a model already; replace it by --force\n"),
            Ecolora.Run([.. arguments, _folder["merged"]]));
        byte[] first = File.ReadAllBytes(_folder["merged/model.safetensors"]);
        Ecolora.Succeed([.. arguments, _folder["merged"], "--force"]);
        Assert.Equal(first, File.ReadAllBytes(_folder["merged/model.safetensors"]));
        Assert.True(File.Exists(_folder["other/precious.txt"]));
        Assert.Contains("--dtype: expected f32 or f16 or bf16, found 'f64'", Ecolora.Run([.. arguments, "x", "--dtype", "f64"]).Error, StringComparison.Ordinal);
    }
}
