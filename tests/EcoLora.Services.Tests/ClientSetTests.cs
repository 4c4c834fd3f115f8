using EcoLora.Hosting;
using EcoLora.Services.Trainer;

namespace EcoLora.Services.Tests;

public class ClientSetTests
{
    [Theory]
    [InlineData("all", "0 1 2 3 4 5 6 7 8")]
    [InlineData("0", "0")]
    [InlineData("3-3", "3")]
    [InlineData("0-4,7", "0 1 2 3 4 7")]
    [InlineData("7,5-6,1", "1 5 6 7")]
    [InlineData("1-3,2-4", "1 2 3 4")]
    [InlineData("8-2147483647", "8")]
    public void Numbers_and_ranges_are_the_clients(string text, string clients)
    {
        Func<int, bool> hosts = ClientSet.Parse("CLIENTS", text);
        Assert.Equal(clients, string.Join(' ', Enumerable.Range(0, 9).Where(hosts)));
    }

    [Theory]
    [InlineData("")]
    [InlineData("ALL")]
    [InlineData("all,1")]
    [InlineData("a")]
    [InlineData("4-2")]
    [InlineData("1-")]
    [InlineData("-1")]
    [InlineData("1--2")]
    [InlineData("1-2-3")]
    [InlineData(" 1")]
    [InlineData("1,,2")]
    [InlineData("1,")]
    [InlineData("+1")]
    [InlineData("1.0")]
    [InlineData("2147483648")]
    public void Anything_else_is_refused(string text) => Assert.Equal(
        $"CLIENTS: expected all, or numbers and ranges such as 0-4,7, found '{text}'",
        Assert.Throws<SettingException>(() => ClientSet.Parse("CLIENTS", text)).Message);
}
