using System.Text;
using Xunit;

namespace Graceful.Probe.Tests;

public sealed class StreamReaderTests
{
    private const string Head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

    [Theory]
    [InlineData("data: 1\n\n", 1, true)]
    [InlineData("data: 1\r\n\r\ndata: 2\r\r", 2, true)]
    [InlineData("\n\n: hi\n\nretry: 5\n\n", 2, true)]
    [InlineData("data: 1\n\ndata: 2\n", 1, false)]
    [InlineData("data: 1\n\ndata", 1, false)]
    [InlineData("data: 1\r\n", 0, false)]
    [InlineData("", 0, true)]
    public void A_record_ends_at_a_blank_line_wherever_it_is_split(string text, int records, bool between)
    {
        byte[] bytes = Encoding.ASCII.GetBytes(text);
        for (int split = 0; split <= bytes.Length; split++)
        {
            var ends = new RecordEnds();
            ends.Feed(bytes.AsSpan(0, split));
            ends.Feed(bytes.AsSpan(split));
            Assert.Equal((records, between), (ends.Records, ends.BetweenRecords));
        }
    }

    [Theory]
    [InlineData("9\r\ndata: 1\n\n\r\n0\r\n\r\n", true, false)]
    [InlineData("9\r\ndata: 1\n\n\r\n", false, false)]
    [InlineData("8\r\ndata: 1\n\r\n0\r\n\r\n", false, true)]
    [InlineData("0\r\n\r\n", true, false)]
    public void A_stream_is_complete_when_it_ends_in_order_between_two_records(string body, bool complete, bool truncated)
    {
        var reader = new SseAnswerReader(looksIn: false);
        reader.Reset();
        foreach (byte b in Encoding.ASCII.GetBytes(Head + body))
        {
            reader.Feed([b]);
        }
        Assert.Equal((complete, truncated), (reader.IsComplete, reader.IsTruncated));
        reader.End();
        Assert.Equal((complete, truncated), (reader.IsComplete, reader.IsTruncated));
    }

    [Fact]
    public void A_frame_of_HTTP2_is_whole_wherever_it_is_split()
    {
        // A preface of two bytes; DATA of three that ends stream 5; RST_STREAM of stream 3, refused; SETTINGS without payload.
        byte[] bytes = [1, 2, 0, 0, 3, 0, 1, 0, 0, 0, 5, 7, 7, 7, 0, 0, 4, 3, 0, 0, 0, 0, 3, 0, 0, 0, 7, 0, 0, 0, 4, 1, 0, 0, 0, 0];
        for (int split = 0; split <= bytes.Length; split++)
        {
            var frames = new Http2Frames(preface: 2);
            var seen = new List<string>();
            foreach (byte[] part in (byte[][])[bytes[..split], bytes[split..]])
            {
                ReadOnlySpan<byte> data = part;
                while (frames.Next(ref data))
                {
                    seen.Add($"{frames.Type} {frames.Stream} {frames.EndsStream} {frames.FirstNumber}");
                }
            }
            Assert.Equal(["0 5 True ", "3 3 False 7", "4 0 False "], seen);
        }
    }

    [Fact]
    public void Who_looks_in_has_enough_with_the_first_record()
    {
        var reader = new SseAnswerReader(looksIn: true);
        reader.Reset();
        reader.Feed(Encoding.ASCII.GetBytes(Head + "8\r\ndata: 1\n\r\n"));
        Assert.False(reader.IsComplete);
        reader.Feed("1\r\n\n\r\n"u8);
        Assert.True(reader.IsComplete);
        Assert.False(reader.KeepAlive);
    }

    [Fact]
    public void Only_a_stream_that_has_begun_may_take_its_time()
    {
        var reader = new SseAnswerReader(looksIn: false);
        reader.Reset();
        Assert.False(reader.IsHeld);
        reader.Feed(Encoding.ASCII.GetBytes(Head));
        Assert.True(reader.IsHeld);
        reader.Feed("0\r\n\r\n"u8);
        Assert.False(reader.IsHeld);
        reader.Reset();
        reader.Feed("HTTP/1.1 503 X\r\nContent-Length: 9\r\n\r\n"u8);
        Assert.False(reader.IsHeld);
    }
}
