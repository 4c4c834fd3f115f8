using System.Text;

namespace EcoLora.Messaging.Tests;

/// <summary>What every state store must do.</summary>
public abstract class StateStoreConformance
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    /// <summary>A store that other tests may have written to, under other keys.</summary>
    protected abstract Task<IStateStore> OpenAsync();

    [Fact]
    public async Task A_value_is_read_as_it_was_written()
    {
        IStateStore store = await OpenAsync();
        foreach (string text in (string[])["", "{}", "{\"b\":1,\"a\":18446744073709551615,\"c\":1e400}", "ä𝄞<>&\u2028\"\\\n\0", new('x', 300_000)])
        {
            string key = Key();
            Assert.True(await store.TryWriteAsync(key, Bytes(text), null, Cancellation));
            Assert.Equal(text, Text(await store.ReadAsync(key, Cancellation)));
        }
    }

    [Fact]
    public async Task A_key_without_value_reads_as_null_also_after_its_deletion()
    {
        IStateStore store = await OpenAsync();
        string key = Key();
        Assert.Null(await store.ReadAsync(key, Cancellation));
        await store.DeleteAsync(key, Cancellation);
        Assert.True(await store.TryWriteAsync(key, Bytes("1"), null, Cancellation));
        await store.DeleteAsync(key, Cancellation);
        Assert.Null(await store.ReadAsync(key, Cancellation));
        Assert.True(await store.TryWriteAsync(key, Bytes("2"), null, Cancellation));
    }

    [Fact]
    public async Task An_insert_replaces_nothing()
    {
        IStateStore store = await OpenAsync();
        string key = Key();
        Assert.True(await store.TryWriteAsync(key, Bytes("first"), null, Cancellation));
        Assert.False(await store.TryWriteAsync(key, Bytes("second"), null, Cancellation));
        Assert.Equal("first", Text(await store.ReadAsync(key, Cancellation)));
    }

    [Fact]
    public async Task A_replacement_needs_the_version_that_is_there()
    {
        IStateStore store = await OpenAsync();
        string key = Key();
        await store.TryWriteAsync(key, Bytes("first"), null, Cancellation);
        string etag = (await store.ReadAsync(key, Cancellation))!.ETag;
        Assert.True(await store.TryWriteAsync(key, Bytes("second"), etag, Cancellation));
        Assert.False(await store.TryWriteAsync(key, Bytes("third"), etag, Cancellation));
        Assert.Equal("second", Text(await store.ReadAsync(key, Cancellation)));
        Assert.True(await store.TryWriteAsync(key, Bytes("third"), (await store.ReadAsync(key, Cancellation))!.ETag, Cancellation));
        Assert.Equal("third", Text(await store.ReadAsync(key, Cancellation)));
    }

    [Fact]
    public async Task Of_many_writers_at_once_one_wins()
    {
        IStateStore store = await OpenAsync();
        string key = Key();
        bool[] inserted = await Task.WhenAll(Enumerable.Range(0, 20).Select(i => store.TryWriteAsync(key, Bytes($"{i}"), null, Cancellation)));
        Assert.Equal(Array.IndexOf(inserted, true).ToString(System.Globalization.CultureInfo.InvariantCulture), Text(await store.ReadAsync(key, Cancellation)));
        Assert.Single(inserted, won => won);
        string etag = (await store.ReadAsync(key, Cancellation))!.ETag;
        bool[] replaced = await Task.WhenAll(Enumerable.Range(0, 20).Select(i => store.TryWriteAsync(key, Bytes($"new {i}"), etag, Cancellation)));
        Assert.Single(replaced, won => won);
        Assert.Equal($"new {Array.IndexOf(replaced, true)}", Text(await store.ReadAsync(key, Cancellation)));
    }

    [Fact]
    public async Task Many_values_come_in_the_order_of_their_keys()
    {
        IStateStore store = await OpenAsync();
        string prefix = Key();
        string[] keys = [.. Enumerable.Range(0, 250).Select(i => $"{prefix}.{i}")];
        for (int i = 0; i < keys.Length; i += 3) await store.TryWriteAsync(keys[i], Bytes($"value {i}"), null, Cancellation);
        IReadOnlyList<StoredValue?> values = await store.ReadManyAsync(keys, Cancellation);
        Assert.Equal(keys.Select((_, i) => i % 3 == 0 ? $"value {i}" : null), values.Select(value => value is null ? null : Text(value)));
        Assert.True(await store.TryWriteAsync(keys[3], Bytes("new"), values[3]!.ETag, Cancellation));
        Assert.Empty(await store.ReadManyAsync([], Cancellation));
        Assert.Equal(["value 0", null, "value 0"], (await store.ReadManyAsync([keys[0], keys[1], keys[0]], Cancellation)).Select(value => value is null ? null : Text(value)));
    }

    [Theory]
    [InlineData("")]
    [InlineData("A")]
    [InlineData("a||b")]
    [InlineData("a b")]
    [InlineData("a/b")]
    [InlineData("a\nb")]
    public async Task Keys_of_other_characters_are_refused(string key)
    {
        IStateStore store = await OpenAsync();
        await Assert.ThrowsAsync<ArgumentException>(() => store.ReadAsync(key, Cancellation));
        await Assert.ThrowsAsync<ArgumentException>(() => store.ReadManyAsync([key], Cancellation));
        await Assert.ThrowsAsync<ArgumentException>(() => store.TryWriteAsync(key, Bytes("1"), null, Cancellation));
        await Assert.ThrowsAsync<ArgumentException>(() => store.DeleteAsync(key, Cancellation));
    }

    [Fact]
    public async Task A_record_that_someone_else_has_changed_is_not_written()
    {
        IStateStore store = await OpenAsync();
        string key = Key();
        StateRecord<Counter> first = await StateRecord.ReadAsync(store, key, CounterJson.Default.Counter, Cancellation);
        Assert.Null(first.Value);
        await first.WriteAsync(new Counter(1), Cancellation);
        StateRecord<Counter> second = await StateRecord.ReadAsync(store, key, CounterJson.Default.Counter, Cancellation);
        Assert.Equal(1, second.Value!.Count);
        await first.WriteAsync(new Counter(2), Cancellation);
        await first.WriteAsync(new Counter(3), Cancellation);

        await Assert.ThrowsAsync<StateConflictException>(() => second.WriteAsync(new Counter(10), Cancellation));

        Assert.Equal((3, 1), (first.Value!.Count, second.Value!.Count));
        await first.WriteAsync(new Counter(4), Cancellation);
        StateRecord<Counter> third = (await StateRecord.ReadManyAsync(store, [key], CounterJson.Default.Counter, Cancellation))[0];
        await third.WriteAsync(new Counter(5), Cancellation);
        await Assert.ThrowsAsync<StateConflictException>(() => first.WriteAsync(new Counter(6), Cancellation));
    }

    [Fact]
    public async Task A_record_that_is_none_is_refused_with_its_key()
    {
        IStateStore store = await OpenAsync();
        string key = Key();
        await store.TryWriteAsync(key, Bytes("[1]"), null, Cancellation);
        StateFileException refused = await Assert.ThrowsAsync<StateFileException>(
            () => StateRecord.ReadAsync(store, key, CounterJson.Default.Counter, Cancellation));
        Assert.StartsWith(key + ": expected a record", refused.Message, StringComparison.Ordinal);
    }

    private static string Key() => $"runs.{Guid.NewGuid():n}";

    private static byte[] Bytes(string text) => Encoding.UTF8.GetBytes(text);

    private static string Text(StoredValue? value) => Encoding.UTF8.GetString(value!.Value.Span);
}

internal sealed record Counter(int Count);

[System.Text.Json.Serialization.JsonSerializable(typeof(Counter))]
internal sealed partial class CounterJson : System.Text.Json.Serialization.JsonSerializerContext;
