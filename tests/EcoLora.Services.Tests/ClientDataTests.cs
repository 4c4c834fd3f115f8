using System.Text.Json;
using EcoLora.Formats.Data;
using EcoLora.Hosting;
using EcoLora.Services.Trainer;
using EcoLora.TestKit;

namespace EcoLora.Services.Tests;

/// <summary>Records of runs with a file for each client.</summary>
public sealed class ClientDataTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public ClientDataTests()
    {
        for (int client = 0; client < 3; client++) Write(client, 8 + 4 * client);
    }

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Each_client_trains_on_its_own_file_but_for_what_is_held_out_of_it()
    {
        ClientData data = ClientData.Load(Run());
        Assert.Equal([6, 9, 12], data.Clients.Select(records => records.Count)); // A quarter of 8, 12 and 16 is held out.
        Assert.Equal([2, 3, 4], Enumerable.Range(0, 3).Select(client => data.HeldOut.Count(record => Owner(record) == client)));
        for (int client = 0; client < 3; client++) Assert.All(data.Clients[client], record => Assert.Equal(client, Owner(record)));
        Assert.Equal(36, data.Clients.SelectMany(records => records).Concat(data.HeldOut).Distinct().Count());
        Assert.Equal([0, 0, 1, 1, 1, 2, 2, 2, 2], data.HeldOut.Select(Owner));
    }

    [Fact]
    public void A_clients_records_do_not_depend_on_another_clients_file()
    {
        IReadOnlyList<Instruction> before = ClientData.Load(Run()).Clients[2];
        Write(0, 40);
        Write(1, 5);
        Assert.Equal(before, ClientData.Load(Run()).Clients[2]);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    public void A_site_that_has_only_its_own_file_trains_on_the_same_records(int hosted)
    {
        ClientData all = ClientData.Load(Run());
        for (int client = 0; client < 3; client++)
            if (client != hosted) File.Delete(Name(client));
        ClientData own = ClientData.Load(Run(), client => client == hosted);
        Assert.Equal(all.Clients[hosted], own.Clients[hosted]);
        Assert.All(Enumerable.Range(0, 3).Where(client => client != hosted), client => Assert.Empty(own.Clients[client]));
        Assert.Equal(all.HeldOut.Where(record => Owner(record) == hosted), own.HeldOut);
    }

    [Theory]
    [InlineData("")]
    [InlineData("not json\n")]
    [InlineData("{\"instruction\":\"do\",\"response\":7}\n")]
    [InlineData("{\"instruction\":\"do\",\"response\":\"\"}\n")]
    public void A_file_that_is_no_data_set_is_named_with_its_client(string content)
    {
        File.WriteAllText(Name(1), content);
        string message = Assert.Throws<PartitionException>(() => ClientData.Load(Run())).Message;
        Assert.StartsWith($"client 1: {Name(1)}", message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', message);
        Assert.Equal(6, ClientData.Load(Run(), client => client != 1).Clients[0].Count);
    }

    [Fact]
    public void A_file_with_too_few_records_is_named_by_its_client()
    {
        Write(1, 3);
        string message = Assert.Throws<PartitionException>(() => ClientData.Load(Run("held_out: 3"))).Message;
        Assert.Equal("client 1: held-out split: expected more than 3 records to hold 3 out, found 3", message);
    }

    private RunFile Run(string heldOut = "held_out: 0.25") => RunFile.Parse("run", $$"""
        name: per-file
        data: { files: ['{{Name(0)}}', '{{Name(1)}}', '{{Name(2)}}'], {{heldOut}} }
        partition: { scheme: file }
        federation: { clients: 3, participants: 2 }
        exchange: { segments: 2 }
        """, []);

    private string Name(int client) => _folder[$"client-{client}.jsonl"];

    private void Write(int client, int records) => File.WriteAllLines(Name(client), Enumerable.Range(0, records).Select(i =>
        JsonSerializer.Serialize(new { instruction = $"question {i}", context = $"{client}", response = $"answer {i}", category = i % 2 == 0 ? "even" : "odd" })));

    private static int Owner(Instruction record) => int.Parse(record.Context, System.Globalization.CultureInfo.InvariantCulture);
}
