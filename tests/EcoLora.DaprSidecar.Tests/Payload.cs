namespace EcoLora.DaprSidecar.Tests;

/// <summary>Made-up payloads.</summary>
internal static class Payload
{
    /// <summary>All 256 byte values over and over, so many bytes in all; no JSON and no UTF-8.</summary>
    public static byte[] AllBytes(int size)
    {
        byte[] bytes = new byte[size];
        for (int i = 0; i < size; i++) bytes[i] = (byte)(255 - (i % 256));
        return bytes;
    }
}
