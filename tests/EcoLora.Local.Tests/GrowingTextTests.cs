using System.Text;

namespace EcoLora.Local.Tests;

/// <summary>Tokens are bytes here, decoded as UTF-8.</summary>
public class GrowingTextTests
{
    [Fact]
    public void A_character_is_written_once_and_whole_and_the_prompt_is_not()
    {
        var output = new StringWriter { NewLine = "\n" };
        int[] all = [.. Encoding.UTF8.GetBytes("ab é€!").Select(b => (int)b)];
        var text = new GrowingText(Decode, output, all[..2], trimStart: false);
        var seen = new List<string>();
        for (int count = 3; count <= all.Length; count++)
        {
            text.Show(all[..count]);
            seen.Add(output.ToString());
        }
        text.End();
        Assert.Equal([" ", " ", " é", " é", " é", " é€", " é€!"], seen);
        Assert.Equal(" é€!\n", output.ToString());
    }

    [Fact]
    public void What_stays_unfinished_is_written_at_the_end_and_leading_space_can_be_left_out()
    {
        var output = new StringWriter { NewLine = "\n" };
        var text = new GrowingText(Decode, output, ['a'], trimStart: true);
        text.Show(['a', ' ', ' ', 'b', ' ', 0xC3]);
        text.End();
        Assert.Equal("b \uFFFD\n", output.ToString());
    }

    private static string Decode(int[] tokens) => Encoding.UTF8.GetString([.. tokens.Select(token => (byte)token)]);
}
