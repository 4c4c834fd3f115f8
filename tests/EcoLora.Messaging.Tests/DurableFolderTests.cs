using EcoLora.TestKit;

namespace EcoLora.Messaging.Tests;

[Collection(WholeProcess.Name)]
public sealed class DurableFolderTests : IDisposable
{
    private readonly TemporaryFolder _temporary = new();

    public void Dispose() => _temporary.Dispose();

    [Fact]
    public void A_file_is_written_from_its_parts_and_replaced_as_a_whole()
    {
        var folder = new DurableFolder(_temporary["new/deep"]);
        folder.Write("a", new byte[] { 1, 2 }, Array.Empty<byte>(), new byte[] { 3 });
        Assert.Equal([1, 2, 3], folder.Read("a"));
        folder.Write("a", new byte[] { 9 });
        Assert.Equal([9], folder.Read("a"));
        folder.Write("a");
        Assert.Equal([], folder.Read("a")!);
        Assert.Equal(["a"], folder.List("*"));
    }

    [Fact]
    public void An_absent_file_reads_as_null_and_may_be_deleted()
    {
        var folder = new DurableFolder(_temporary.Path);
        Assert.Null(folder.Read("a"));
        folder.Delete("a");
        folder.Write("a", new byte[] { 1 });
        folder.Delete("a");
        Assert.Null(folder.Read("a"));
    }

    [Fact]
    public void What_an_interrupted_write_left_is_removed_when_the_folder_is_opened()
    {
        File.WriteAllBytes(_temporary["a"], [1]);
        File.WriteAllBytes(_temporary["a.tmp"], [1, 2]);
        var folder = new DurableFolder(_temporary.Path);
        Assert.Equal(["a"], folder.List("*"));
        Assert.Equal([1], folder.Read("a"));
    }

    [Fact]
    public void Names_are_listed_in_ordinal_order()
    {
        var folder = new DurableFolder(_temporary.Path);
        foreach (string name in new[] { "b.bin", "B.bin", "a-10.bin", "a-9.bin", "c.txt" }) folder.Write(name, new byte[] { 1 });
        Assert.Equal(["B.bin", "a-10.bin", "a-9.bin", "b.bin"], folder.List("*.bin"));
    }

    [Fact]
    public void A_write_that_the_disk_cuts_off_leaves_the_old_file_and_nothing_else()
    {
        var folder = new DurableFolder(_temporary.Path);
        byte[] old = [.. Enumerable.Range(0, 1000).Select(i => (byte)i)];
        folder.Write("a", old);
        using (new FileSizeLimit(4096)) Assert.ThrowsAny<Exception>(() => folder.Write("a", new byte[3000], new byte[3000]));
        Assert.Equal(old, folder.Read("a"));
        Assert.Equal(["a"], folder.List("*"));
        folder.Write("a", new byte[6000]);
        Assert.Equal(6000, folder.Read("a")!.Length);
    }

    [Fact]
    public void A_folder_in_the_files_place_fails_the_write_and_leaves_no_temporary_file()
    {
        var folder = new DurableFolder(_temporary.Path);
        Directory.CreateDirectory(_temporary["a/inside"]);
        Exception exception = Assert.ThrowsAny<Exception>(() => folder.Write("a", new byte[] { 1 }));
        Assert.True(exception is IOException or UnauthorizedAccessException, $"{exception}");
        Assert.Empty(folder.List("*"));
        Assert.True(Directory.Exists(_temporary["a/inside"]));
    }

    [Fact]
    public void Lines_come_back_whole_and_in_order()
    {
        using (AppendLog log = AppendLog.Open(_temporary["log"], out List<byte[]> none))
        {
            Assert.Empty(none);
            for (int i = 0; i < 300; i++) log.Append(Line(i));
        }
        using AppendLog again = AppendLog.Open(_temporary["log"], out List<byte[]> lines);
        Assert.Equal(Enumerable.Range(0, 300).Select(Line), lines);
    }

    [Fact]
    public void A_line_is_in_the_file_when_append_returns()
    {
        using AppendLog log = AppendLog.Open(_temporary["log"], out _);
        log.Append("first"u8);
        Assert.Equal(6, new FileInfo(_temporary["log"]).Length);
    }

    [Fact]
    public void A_line_cut_off_at_any_byte_is_removed_and_the_next_takes_its_place()
    {
        byte[] whole = [.. "one\n"u8, .. "\n"u8, .. "three\n"u8];
        for (int length = 0; length <= whole.Length; length++)
        {
            File.WriteAllBytes(_temporary["log"], whole[..length]);
            string[] expected = length < 4 ? [] : length < 5 ? ["one"] : length < 11 ? ["one", ""] : ["one", "", "three"];
            using (AppendLog log = AppendLog.Open(_temporary["log"], out List<byte[]> lines))
            {
                Assert.Equal(expected, lines.Select(System.Text.Encoding.UTF8.GetString));
                log.Append("next"u8);
            }
            Assert.Equal([.. expected, "next"], File.ReadAllLines(_temporary["log"]));
        }
    }

    [Fact]
    public void A_line_that_the_disk_cuts_off_is_taken_back_and_not_written_later()
    {
        using (AppendLog log = AppendLog.Open(_temporary["log"], out _))
        {
            log.Append("first"u8);
            using (new FileSizeLimit(1000)) Assert.ThrowsAny<Exception>(() => log.Append(new byte[3000]));
            Assert.Equal(6, new FileInfo(_temporary["log"]).Length);
            log.Append("second"u8);
        }
        Assert.Equal(["first", "second"], File.ReadAllLines(_temporary["log"]));
    }

    [Fact]
    public void A_line_end_inside_a_line_is_refused()
    {
        using AppendLog log = AppendLog.Open(_temporary["log"], out _);
        Assert.Throws<ArgumentException>(() => log.Append("a\nb"u8));
        log.Append("c"u8);
        Assert.Equal(2, new FileInfo(_temporary["log"]).Length);
    }

    private static byte[] Line(int number) => [.. Enumerable.Range(0, number % 50).Select(i => (byte)(128 + i))];
}
