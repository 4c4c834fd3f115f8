using System.Text;
using System.Text.Json.Nodes;
using EcoLora.Hosting;
using EcoLora.Messaging;

namespace EcoLora.Local.Runs;

/// <summary>
/// The folder that a run leaves behind. <c>run.json</c> holds the effective options and marks it as one; <c>state/</c> holds what a resumed run goes on
/// from; a lock file keeps a second process out. Everything is written atomically.
/// </summary>
public sealed class RunFolder : IDisposable
{
    private const string OptionsFile = "run.json", LockFile = ".lock";

    private static readonly string[] OwnEntries = ["state", "adapter", AdapterExport.Stacked, AdapterExport.Figures, "baselines", KeptUpdate.Folder, "report.html", "report.json", "ledger.csv", OptionsFile];

    private readonly FileStream _lock;

    private RunFolder(string path, FileStream held) => (Folder, _lock) = (new DurableFolder(path), held);

    /// <summary>The folder.</summary>
    public DurableFolder Folder { get; }

    /// <summary>Opens the folder for a run.</summary>
    /// <param name="path">The folder; made if needed.</param>
    /// <param name="options">Effective options in their canonical form.</param>
    /// <param name="resume">Go on with the run that is there.</param>
    /// <param name="force">Delete the run that is there.</param>
    /// <exception cref="RunFolderRefusedException">The folder is in use, holds another run, or something that is not a run.</exception>
    public static RunFolder Open(string path, JsonObject options, bool resume, bool force)
    {
        Directory.CreateDirectory(path);
        FileStream held = Lock(path);
        try
        {
            string file = Path.Combine(path, OptionsFile);
            bool holdsRun = File.Exists(file), isEmpty = !Directory.EnumerateFileSystemEntries(path).Any(entry => Path.GetFileName(entry) != LockFile);
            if (!holdsRun && !isEmpty)
                throw new RunFolderRefusedException($"{path}: expected an empty folder or one of a run, found other files; give another one with --out");
            if (holdsRun && !force && !resume) throw new RunFolderRefusedException($"{path} holds a run already; go on with it by --resume, or replace it by --force");
            if (holdsRun && force) Clear(path);
            else if (holdsRun) CompareOptions(file, options);
            var folder = new RunFolder(path, held);
            if (!File.Exists(file)) folder.Folder.Write(OptionsFile, Encoding.UTF8.GetBytes(options.ToJsonString() + "\n"));
            return folder;
        }
        catch
        {
            held.Dispose();
            throw;
        }
    }

    private static FileStream Lock(string path)
    {
        try
        {
            return new FileStream(Path.Combine(path, LockFile), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException) when (File.Exists(Path.Combine(path, LockFile)))
        {
            throw new RunFolderRefusedException($"{path} is in use by another process");
        }
    }

    private static void Clear(string path)
    {
        foreach (string entry in OwnEntries.Select(name => Path.Combine(path, name)))
        {
            if (Directory.Exists(entry)) Directory.Delete(entry, recursive: true);
            else File.Delete(entry);
        }
    }

    private static void CompareOptions(string file, JsonObject options)
    {
        if (OptionDifference.First(JsonNode.Parse(File.ReadAllText(file))!.AsObject(), options) is not { } difference) return;
        throw new RunFolderRefusedException(
            $"{file}: {difference.Path}: the run that is there has {difference.Before}, found {difference.Now}; "
            + "give another folder with --out, or replace it by --force");
    }

    /// <inheritdoc/>
    public void Dispose() => _lock.Dispose();
}
