using System.Text;
using Xunit;

namespace Graceful.Probe.Tests;

public sealed class AnswerReaderTests
{
    private const string Counted = "HTTP/1.1 200 OK\r\ncontent-length:  5 \r\n\r\nhello";
    private const string Chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, Chunked\r\n\r\n3\r\nhel\r\n00A;x=\"y\"\r\n0123456789\r\n0\r\nA: b\r\nC: d\r\n\r\n";
    private const string Interim = "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n";

    public static TheoryData<string, int> Complete => new()
    {
        { Counted, 200 },
        { Chunked, 200 },
        { Interim + Interim + Counted, 200 },
        { "HTTP/1.1 204 No Content\r\n\r\n", 204 },
        { "HTTP/1.1 304 Not Modified\r\nContent-Length: 99\r\n\r\n", 304 },
        { "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", 503 },
        { "HTTP/1.1 200 \r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 200 },
    };

    [Theory]
    [MemberData(nameof(Complete))]
    public void An_answer_is_complete_at_its_last_byte_and_not_before_wherever_it_is_split(string text, int status)
    {
        byte[] bytes = Encoding.ASCII.GetBytes(text);
        for (int split = 0; split < bytes.Length; split++)
        {
            var reader = new AnswerReader();
            reader.Reset();
            Assert.Equal(split, reader.Feed(bytes.AsSpan(0, split)));
            Assert.False(reader.IsComplete);
            Assert.Equal(split > 0, reader.Begun);
            Assert.Equal(bytes.Length - split, reader.Feed(bytes.AsSpan(split)));
            Assert.True(reader.IsComplete);
            Assert.Equal(status, reader.Status);
        }
    }

    [Theory]
    [MemberData(nameof(Complete))]
    public void An_answer_cut_anywhere_is_not_complete_even_when_the_peer_closes_in_good_order(string text, int status)
    {
        _ = status;
        for (int length = 0; length < text.Length; length++)
        {
            AnswerReader reader = ByteByByte(text[..length]);
            reader.End();
            Assert.False(reader.IsComplete);
            Assert.False(reader.IsMalformed);
        }
    }

    [Fact]
    public void An_answer_without_a_length_ends_with_the_connection()
    {
        AnswerReader reader = ByteByByte("HTTP/1.1 200 OK\r\nServer: x\r\n\r\nhello");
        Assert.False(reader.IsComplete);
        reader.End();
        Assert.True(reader.IsComplete);
        Assert.False(reader.KeepAlive);
    }

    [Theory]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", true, false)]
    [InlineData("HTTP/1.1 200 OK\r\nConnection: Close\r\nContent-Length: 0\r\n\r\n", false, true)]
    [InlineData("HTTP/1.1 200 OK\r\nConnection: upgrade, close\r\nContent-Length: 0\r\n\r\n", false, true)]
    [InlineData("HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", false, false)]
    [InlineData("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n", true, false)]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nHTTP/1.1", false, false)]
    public void A_connection_is_kept_only_if_the_answer_allows_it(string text, bool kept, bool told)
    {
        var reader = new AnswerReader();
        reader.Reset();
        reader.Feed(Encoding.ASCII.GetBytes(text));
        Assert.True(reader.IsComplete);
        Assert.Equal((kept, told), (reader.KeepAlive, reader.ToldToClose));
    }

    [Theory]
    [InlineData("SSH-2.0-OpenSSH_9.9\r\n\r\n")]
    [InlineData("HTTP/1.1 OK\r\n\r\n")]
    [InlineData("HTTP/1.1 200 OK\r\nno colon\r\n\r\n")]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: five\r\n\r\n")]
    [InlineData("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n")]
    [InlineData("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\r\n")]
    [InlineData("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n")]
    public void What_is_not_HTTP_is_malformed(string text)
    {
        Assert.True(ByteByByte(text).IsMalformed);
    }

    [Fact]
    public void A_head_without_end_is_malformed()
    {
        var reader = new AnswerReader();
        reader.Reset();
        reader.Feed(Encoding.ASCII.GetBytes("HTTP/1.1 200 OK\r\nA: " + new string('a', AnswerReader.HeadLimit)));
        Assert.True(reader.IsMalformed);
    }

    [Fact]
    public void A_reader_can_be_used_again()
    {
        var reader = new AnswerReader();
        for (int i = 0; i < 3; i++)
        {
            reader.Reset();
            reader.Feed(Encoding.ASCII.GetBytes(i % 2 == 0 ? Chunked : Counted));
            Assert.True(reader.IsComplete && reader.KeepAlive);
        }
    }

    private static AnswerReader ByteByByte(string text)
    {
        var reader = new AnswerReader();
        reader.Reset();
        foreach (byte b in Encoding.ASCII.GetBytes(text))
        {
            reader.Feed([b]);
        }
        return reader;
    }
}
