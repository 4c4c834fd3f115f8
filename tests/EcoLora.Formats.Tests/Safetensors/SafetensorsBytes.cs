using System.Buffers.Binary;
using System.Text;

namespace EcoLora.Formats.Tests.Safetensors;

/// <summary>Safetensors files put together by hand.</summary>
internal static class SafetensorsBytes
{
    /// <summary>A header of any text and data of any length.</summary>
    public static byte[] File(string header, int dataLength) => File(Encoding.UTF8.GetBytes(header), dataLength);

    public static byte[] File(byte[] header, int dataLength)
    {
        byte[] bytes = new byte[8 + header.Length + dataLength];
        BinaryPrimitives.WriteInt64LittleEndian(bytes, header.Length);
        header.CopyTo(bytes, 8);
        for (int i = 0; i < dataLength; i++) bytes[8 + header.Length + i] = (byte)(i + 1);
        return bytes;
    }
}
