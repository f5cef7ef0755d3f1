using System.Text;
using Xunit;

namespace Graceful.Probe.Tests;

public sealed class FastCgiAnswerReaderTests
{
    private const byte End = 3;
    private const byte Output = 6;
    private const byte Error = 7;
    private static readonly byte[] Ended = Record(End, [0, 0, 0, 0, 0, 0, 0, 0]);

    public static TheoryData<byte[], int> Complete => new()
    {
        { [.. Text("Content-Length: 5\r\n\r\nhello"), .. Ended], 200 },
        { [.. Text("Status: 404 Not Found\r\n\r\n"), .. Record(Output, []), .. Ended], 404 },
        { [.. Text("A: b\n\nhello"), .. Record(Error, "oh"u8, padding: 6), .. Ended], 200 },
        { [.. Text("Status: 2"), .. Text("01 Created\r"), .. Text("\n\r\nx"), .. Ended], 201 },
        { [.. Text("Status: 304\r\nContent-Length: 9\r\n\r\n"), .. Ended], 304 },
        { Record(End, [0, 0, 0, 0, 2, 0, 0, 0]), 2 },
        { Record(End, [0, 0, 0, 0, 1, 0, 0, 0], padding: 8), 1 },
    };

    [Theory]
    [MemberData(nameof(Complete))]
    public void An_answer_is_complete_at_its_last_byte_and_not_before_wherever_it_is_split(byte[] bytes, int status)
    {
        for (int split = 0; split < bytes.Length; split++)
        {
            var reader = new FastCgiAnswerReader();
            reader.Reset();
            Assert.Equal(split, reader.Feed(bytes.AsSpan(0, split)));
            reader.End();
            Assert.False(reader.IsComplete || reader.IsMalformed || reader.IsTruncated);
            Assert.Equal(bytes.Length - split, reader.Feed(bytes.AsSpan(split)));
            Assert.True(reader.IsComplete && reader.KeepAlive);
            Assert.Equal(status, reader.Status);
        }
    }

    public static TheoryData<byte[]> Malformed => new()
    {
        Ended,
        Record(99, "x"u8),
        Record(End, [0]),
        Record(End, [0, 0, 0, 0, 4, 0, 0, 0]),
        Text("no colon\r\n\r\n"),
        Text("Status: fine\r\n\r\n"),
        Text("Content-Length: five\r\n\r\n"),
        (byte[])[.. Text("Content-Length: 4\r\n\r\nhello"), .. Ended],
        "HTTP/1.1 200 OK\r\n\r\n"u8.ToArray(),
        (byte[])[1, Output, 0, 2, 0, 0, 0, 0],
    };

    [Theory]
    [MemberData(nameof(Malformed))]
    public void What_is_not_FastCGI_is_malformed(byte[] bytes)
    {
        var reader = new FastCgiAnswerReader();
        reader.Reset();
        reader.Feed(bytes);
        Assert.True(reader.IsMalformed);
        Assert.False(reader.IsComplete);
    }

    [Theory]
    [InlineData("Content-Length: 6\r\n\r\nhello")]
    [InlineData("Content-Length: 6\r\n")]
    public void Less_than_was_announced_is_truncated(string text)
    {
        var reader = new FastCgiAnswerReader();
        reader.Reset();
        reader.Feed([.. Text(text), .. Ended]);
        Assert.True(reader.IsTruncated);
        Assert.False(reader.IsComplete || reader.IsMalformed);
    }

    [Fact]
    public void Bytes_behind_the_answer_end_the_connection_and_a_reader_can_be_used_again()
    {
        byte[] answer = [.. Text("A: b\r\n\r\nhello"), .. Ended];
        var reader = new FastCgiAnswerReader();
        for (int i = 0; i < 3; i++)
        {
            reader.Reset();
            Assert.Equal(answer.Length, reader.Feed([.. answer, 1]));
            Assert.True(reader.IsComplete);
            Assert.False(reader.KeepAlive);
        }
    }

    private static byte[] Text(string text) => Record(Output, Encoding.ASCII.GetBytes(text), padding: 3);

    private static byte[] Record(byte type, ReadOnlySpan<byte> content, byte padding = 0) =>
        [1, type, 0, 1, 0, (byte)content.Length, padding, 0, .. content, .. new byte[padding]];
}
