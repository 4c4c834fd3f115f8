using EcoLora.Numerics;

namespace EcoLora.Formats.Tests;

/// <summary>Seeded damage to a file.</summary>
internal static class Mutation
{
    private static readonly string[] Scraps = ["0", "-1", "9223372036854775807", "18446744073709551616", "1e400", "null", "{}", "[]", "\"\"", "\"\\ud800\"",
        "\"a\":1,", "}", "]", ",", "\uFEFF", "{\"", "true"];

    /// <summary>One to three of: flip a bit, set a byte, insert a scrap of JSON, delete a stretch, double a stretch, cut off.</summary>
    public static byte[] Of(byte[] good, RandomStream random)
    {
        List<byte> bytes = [.. good];
        for (int changes = 1 + random.NextInt32(3); changes > 0 && bytes.Count > 0; changes--)
        {
            int at = random.NextInt32(bytes.Count), length = Math.Min(1 + random.NextInt32(12), bytes.Count - at);
            switch (random.NextInt32(6))
            {
                case 0:
                    bytes[at] ^= (byte)(1 << random.NextInt32(8));
                    break;
                case 1:
                    bytes[at] = (byte)random.NextInt32(256);
                    break;
                case 2:
                    bytes.InsertRange(at, System.Text.Encoding.UTF8.GetBytes(Scraps[random.NextInt32(Scraps.Length)]));
                    break;
                case 3:
                    bytes.RemoveRange(at, length);
                    break;
                case 4:
                    bytes.InsertRange(at, bytes.GetRange(at, length));
                    break;
                default:
                    bytes.RemoveRange(at, bytes.Count - at);
                    break;
            }
        }
        return [.. bytes];
    }
}
