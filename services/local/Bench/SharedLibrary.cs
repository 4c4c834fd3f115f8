using System.Runtime.InteropServices;

namespace EcoLora.Local.Bench;

/// <summary>A shared library of the system, or why it cannot be used.</summary>
internal sealed class SharedLibrary
{
    private readonly Dictionary<string, nint> _functions = [];

    /// <summary>Loads a library and looks its functions up; never fails.</summary>
    public SharedLibrary(string name, params IReadOnlyList<string> functions)
    {
        if (!NativeLibrary.TryLoad(name, out nint handle))
        {
            Absent = $"{name} was not found";
            return;
        }
        foreach (string function in functions)
        {
            if (NativeLibrary.TryGetExport(handle, function, out nint address)) _functions[function] = address;
            else Absent ??= $"{name} has no {function}";
        }
    }

    /// <summary>Why the library cannot be used, or null.</summary>
    public string? Absent { get; }

    /// <summary>Address of one of the functions.</summary>
    public nint this[string function] => _functions[function];
}
