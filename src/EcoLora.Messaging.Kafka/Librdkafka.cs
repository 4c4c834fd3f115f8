using System.Runtime.InteropServices;
using Confluent.Kafka;

namespace EcoLora.Messaging.Kafka;

/// <summary>The native library behind Confluent.Kafka: what a package brings beside the program, else the system's.</summary>
internal static class Librdkafka
{
    private const string Name = "librdkafka", OfSystem = "librdkafka.so.1";

    private static readonly Lazy<bool> _found = new(Find);

    /// <summary>Finds the library before its first use.</summary>
    /// <exception cref="DllNotFoundException">There is none.</exception>
    public static void Require()
    {
        if (!_found.Value) throw new DllNotFoundException($"expected {OfSystem} (Debian: apt-get install librdkafka1), found none");
    }

    private static bool Find()
    {
        if (NativeLibrary.TryLoad(Name, typeof(Library).Assembly, null, out _)) return true;
        if (!NativeLibrary.TryLoad(OfSystem, out nint library)) return false;
        try
        {
            NativeLibrary.SetDllImportResolver(typeof(Library).Assembly, (name, _, _) => name == Name ? library : 0);
        }
        catch (InvalidOperationException)
        {
            // Another part of the process has told Confluent.Kafka where its library is.
        }
        return true;
    }
}
