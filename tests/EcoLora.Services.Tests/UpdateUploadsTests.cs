using System.Runtime.InteropServices;
using EcoLora.Services.Codec;

namespace EcoLora.Services.Tests;

public class UpdateUploadsTests
{
    private static readonly float[] _values = [1, -2.5f, 3];

    private readonly UpdateUploads _uploads = new();

    [Fact]
    public void Pieces_in_order_make_the_whole()
    {
        Assert.Null(_uploads.Whole("r", 0, 1));
        Assert.True(Add(0, 0..5));
        Assert.Null(_uploads.Whole("r", 0, 1));
        Assert.True(Add(0, 5..11));
        Assert.Null(_uploads.Whole("r", 0, 1));
        Assert.True(Add(0, 11..12));
        Assert.Equal(_values, _uploads.Whole("r", 0, 1));
    }

    [Fact]
    public void A_piece_that_comes_again_changes_nothing()
    {
        Assert.True(Add(0, 0..8));
        Assert.True(Add(0, 4..8));
        Assert.True(Add(0, 2..4));
        Assert.True(Add(0, 8..12));
        Assert.True(Add(0, 4..8));
        Assert.Equal(_values, _uploads.Whole("r", 0, 1));
    }

    [Fact]
    public void A_piece_after_a_gap_or_of_an_upload_that_is_not_here_is_refused()
    {
        Assert.False(Add(0, 4..8));
        Assert.True(Add(0, 0..4));
        Assert.False(Add(0, 5..8));
        Assert.False(Add(1, 4..8)); // Of another round.
        Assert.False(_uploads.Add("other", 0, 1, 3, 4, Bytes(4..8)));
        Assert.False(_uploads.Add("r", 0, 2, 3, 4, Bytes(4..8)));
        Assert.True(Add(0, 4..12));
        Assert.Equal(_values, _uploads.Whole("r", 0, 1));
        Assert.Null(_uploads.Whole("r", 1, 1));
        Assert.Null(_uploads.Whole("r", 0, 2));
    }

    [Theory]
    [InlineData(0, 13)]
    [InlineData(8, 5)]
    [InlineData(12, 1)]
    [InlineData(int.MaxValue, 1)]
    [InlineData(-1, 1)]
    [InlineData(int.MinValue, 1)]
    public void A_piece_that_does_not_fit_is_refused_and_changes_nothing(int offset, int length)
    {
        Assert.True(Add(0, 0..12));
        Assert.False(_uploads.Add("r", 0, 1, 3, offset, new byte[length]));
        Assert.Equal(_values, _uploads.Whole("r", 0, 1));
    }

    [Fact]
    public void The_first_piece_begins_anew()
    {
        Assert.True(Add(0, 0..12));
        Assert.True(Add(1, 0..4));
        Assert.Null(_uploads.Whole("r", 0, 1));
        Assert.Null(_uploads.Whole("r", 1, 1));
        Assert.True(Add(1, 4..12));
        Assert.Equal(_values, _uploads.Whole("r", 1, 1));
    }

    [Fact]
    public void What_is_forgotten_is_gone_and_a_later_round_stays()
    {
        Assert.True(Add(3, 0..12));
        _uploads.Forget("r", 2, 1);
        _uploads.Forget("r", 3, 2);
        _uploads.Forget("other", 3, 1);
        Assert.NotNull(_uploads.Whole("r", 3, 1));
        _uploads.Forget("r", 3, 1);
        Assert.Null(_uploads.Whole("r", 3, 1));
        Assert.False(Add(3, 4..8));
    }

    private bool Add(int round, Range range) => _uploads.Add("r", round, 1, 3, range.Start.Value, Bytes(range));

    private static byte[] Bytes(Range range) => MemoryMarshal.AsBytes(_values.AsSpan())[range].ToArray();
}
