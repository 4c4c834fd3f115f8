using System.Globalization;
using System.Text.Json.Nodes;
using EcoLora.Formats.Peft;

namespace EcoLora.Local;

/// <summary>A PEFT adapter: its pairs with their Frobenius norms.</summary>
internal static class AdapterFinding
{
    public static Finding Of(string path)
    {
        PeftAdapter adapter = PeftAdapter.Read(path);
        var modules = new JsonArray();
        var rows = new List<string[]>();
        foreach (PeftModule module in adapter.Modules)
        {
            double normA = Norm(module.A), normB = Norm(module.B), normDelta = adapter.ScaleOf(module) * ProductNorm(module);
            modules.Add(new JsonObject
            {
                ["name"] = module.Name,
                ["rank"] = module.Rank,
                ["alpha"] = module.Alpha,
                ["inputs"] = module.Inputs,
                ["outputs"] = module.Outputs,
                ["normA"] = Finite(normA),
                ["normB"] = Finite(normB),
                ["normDelta"] = Finite(normDelta),
            });
            rows.Add([module.Name, Text(module.Rank), Text(module.Alpha), $"{module.Outputs} × {module.Inputs}", Text(normA), Text(normB), Text(normDelta)]);
        }
        long parameters = adapter.Modules.Sum(module => (long)module.A.Length + module.B.Length);
        var json = new JsonObject
        {
            ["kind"] = "adapter",
            ["baseModel"] = adapter.BaseModel,
            ["parameters"] = parameters,
            ["dropout"] = adapter.Dropout,
            ["rslora"] = adapter.UseRsLora,
            ["modules"] = modules,
        };
        string scale = adapter.UseRsLora ? "alpha/√rank" : "alpha/rank";
        string title = FormattableString.Invariant($"PEFT adapter of {adapter.BaseModel}: {adapter.Modules.Count} modules, {parameters} parameters, scaled by {scale}");
        return new Finding(json, [new ResultTable(title, ["module", "rank", "alpha", "weight", "|A|", "|B|", "|ΔW|"], rows)]);
    }

    /// <summary>√Σv², in double precision.</summary>
    private static double Norm(float[] values)
    {
        double sum = 0;
        foreach (float value in values) sum += (double)value * value;
        return Math.Sqrt(sum);
    }

    /// <summary>‖B·A‖ without the product: ‖B·A‖² = Σ_jk (BᵀB)_jk·(A·Aᵀ)_jk, in double precision.</summary>
    private static double ProductNorm(PeftModule module)
    {
        double sum = 0;
        for (int j = 0; j < module.Rank; j++)
        {
            for (int k = 0; k < module.Rank; k++)
            {
                double a = 0, b = 0;
                for (int n = 0; n < module.Inputs; n++) a += (double)module.A[j * module.Inputs + n] * module.A[k * module.Inputs + n];
                for (int m = 0; m < module.Outputs; m++) b += (double)module.B[m * module.Rank + j] * module.B[m * module.Rank + k];
                sum += a * b;
            }
        }
        return Math.Sqrt(Math.Max(0, sum));
    }

    private static double? Finite(double value) => double.IsFinite(value) ? value : null;

    private static string Text(double value) => value.ToString("0.####", CultureInfo.InvariantCulture);
}
