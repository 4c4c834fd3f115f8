using System.Reflection;
using System.Runtime.InteropServices;
using Confluent.Kafka;

namespace EcoLora.Messaging.Kafka;

/// <summary>The native library behind Confluent.Kafka: what a package brings beside the program, else the system's.</summary>
internal static class Librdkafka
{
    private const string Name = "librdkafka", WithoutSasl = "centos8-librdkafka", OfSystem = "librdkafka.so.1";

    private static readonly Lazy<bool> _found = new(Find);

    /// <summary>Finds the library before its first use.</summary>
    /// <exception cref="DllNotFoundException">There is none.</exception>
    public static void Require()
    {
        if (!_found.Value) throw new DllNotFoundException($"expected {OfSystem} (Debian: apt-get install librdkafka1), found none");
    }

    private static bool Find()
    {
        Assembly client = typeof(Library).Assembly;
        if (NativeLibrary.TryLoad(Name, client, null, out _)) return true;
        // Of those that the current package brings, the first wants a Cyrus SASL library that Debian 12 has not. The system's librdkafka is older than the current client.
        if (!NativeLibrary.TryLoad(WithoutSasl, client, null, out nint library) && !NativeLibrary.TryLoad(OfSystem, out library)) return false;
        try
        {
            NativeLibrary.SetDllImportResolver(client, (name, _, _) => name == Name ? library : 0);
        }
        catch (InvalidOperationException)
        {
            // Another part of the process has told Confluent.Kafka where its library is.
        }
        return true;
    }
}
