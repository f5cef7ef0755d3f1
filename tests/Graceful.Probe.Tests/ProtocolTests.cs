using System.Globalization;
using Xunit;

namespace Graceful.Probe.Tests;

// In each protocol, everything that the rude server does is counted as what it is, as often as its own books say. Every third
// request is treated by the next of the acts; after the signal the server is polite.
public sealed class ProtocolTests
{
    private const string Http2Acts =
        "Reset,AnswerChunked,Fin,TruncateLength,TruncateChunked,ResetStream,RefuseStream,ShortBody,Garbage,TellToClose,AnswerAndTellToClose,Status503";

    public static TheoryData<string, string, int, string> Ways => new()
    {
        { "http1", "unix", 1, "Reset,AnswerChunked,Fin,TruncateLength,AnswerUntilClose,TruncateChunked,Garbage,AnswerAndTellToClose,Status503" },
        { "http2", "", 1, Http2Acts },
        { "http2", "tls", 1, Http2Acts },
        { "http2", "unix", 1, Http2Acts },
        { "http2", "", 4, Http2Acts },
        { "http2", "tls", 4, Http2Acts },
        { "fastcgi", "", 1, "Reset,AnswerChunked,Fin,TruncateLength,TruncateChunked,ShortBody,Overloaded,Garbage,Status503" },
        { "fastcgi", "tls", 1, "Reset,TruncateLength,Overloaded" },
        { "fastcgi", "unix", 1, "Reset,AnswerChunked,Fin,TruncateLength,TruncateChunked,ShortBody,Overloaded,Garbage,Status503" },
        { "websocket", "", 1, "Reset,AnswerChunked,Fin,TruncateLength,TruncateChunked,TellToClose,CloseWithError,Garbage,AnswerAndTellToClose" },
        { "websocket", "tls", 1, "Reset,AnswerChunked,Fin,TruncateLength,TruncateChunked,TellToClose,CloseWithError,Garbage,AnswerAndTellToClose" },
        { "websocket", "unix", 1, "Fin,TruncateLength,TellToClose,CloseWithError" },
        { "sse", "", 1, "Reset,Fin,TruncateLength,TruncateChunked,Garbage,Status503" },
        { "sse", "tls", 1, "Reset,Fin,TruncateLength,TruncateChunked,Garbage,Status503" },
    };

    [Theory]
    [MemberData(nameof(Ways))]
    public async Task Under_load_every_count_agrees_with_the_servers_own_books(string protocol, string way, int streams, string acts)
    {
        // Each of an event stream's clients is held; one that looks in would not see what comes behind the first record. Those that share their
        // connections are the only ones where they are several.
        string[] load = protocol == "sse" || streams > 1 ? ["--keep-alive", "8", "--connect", "0"] : ["--keep-alive", "4", "--connect", "4"];
        ProbeRun run = await Against(
            protocol, way, $"clients=8 streams={streams} every=3 acts={acts}",
            [.. load, "--streams", streams.ToString(CultureInfo.InvariantCulture), "--load", "400ms"]);

        Assert.Equal(1, run.Status);
        run.AgreesWithTheServersBook();
        foreach (string act in acts.Split(','))
        {
            Assert.True(run.BookedAct(act) > 0, $"{act} did not happen\n{run.Output}");
        }
    }

    [Theory]
    [InlineData("http2", "", 8)]
    [InlineData("http2", "tls", 8)]
    [InlineData("fastcgi", "unix", 0)]
    [InlineData("websocket", "", 8)]
    [InlineData("sse", "", 0)]
    public async Task A_polite_server_gives_zeros_and_exit_status_0(string protocol, string way, int told)
    {
        string[] load = protocol switch
        {
            "sse" => ["--keep-alive", "8", "--connect", "0"],
            // FastCGI has no word for a connection that is not kept after all: the next request may meet its end, however polite that is.
            "fastcgi" => ["--keep-alive", "0", "--connect", "8"],
            _ => ["--keep-alive", "4", "--connect", "4", "--streams", "1"],
        };
        ProbeRun run = await Against(protocol, way, "clients=8", load);
        Assert.Equal(0, run.Status);
        run.NothingFailedExcept();
        Assert.True(run.After("ok") >= 8);
        Assert.True(run.After("refused") >= 8);
        Assert.Equal(told, run.After("toldToClose"));
        Assert.Contains("0 x1", run.Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("http1", "unix")]
    [InlineData("http2", "")]
    [InlineData("fastcgi", "")]
    [InlineData("websocket", "")]
    [InlineData("sse", "")]
    public async Task A_request_without_an_answer_in_time_is_unanswered(string protocol, string way)
    {
        ProbeRun run = await Against(protocol, way, "clients=4 finally=Never", "--keep-alive", "4", "--connect", "0", "--streams", "1", "--request-limit", "500ms");
        Assert.Equal(1, run.Status);
        Assert.Equal(4, run.After("unanswered"));
        // An HTTP/2 client gives up the stream and keeps the connection, on which its next request then meets the server's end.
        run.NothingFailedExcept("unanswered", protocol == "http2" ? "lostReused" : "unanswered");
    }

    [Fact]
    public async Task A_message_that_was_read_long_before_the_Close_and_has_no_answer_is_lost()
    {
        ProbeRun run = await Against("websocket", "", "clients=4 finally=TellToCloseLate", "--keep-alive", "4", "--connect", "0");
        Assert.Equal(1, run.Status);
        Assert.Equal((4, 0), (run.After("lostReused"), run.After("crossed")));
        Assert.Equal(4, run.After("toldToClose"));
        run.NothingFailedExcept("lostReused");
    }

    [Fact]
    public async Task A_message_that_met_the_Close_on_the_wire_is_crossed_and_no_failure()
    {
        ProbeRun run = await Against("websocket", "", "clients=4 finally=TellToClose", "--keep-alive", "4", "--connect", "0");
        Assert.Equal(0, run.Status);
        Assert.Equal(4, run.After("crossed"));
        Assert.Contains("crossed 4", run.Output, StringComparison.Ordinal);
        run.NothingFailedExcept();
    }

    [Theory]
    [InlineData("http2", "TellToClose", "closedIdle", 6, 0, 0)]
    [InlineData("http2", "Reset", "closedIdle", 0, 6, 0)]
    [InlineData("fastcgi", "Fin", "closedIdle", 6, 0, 0)]
    [InlineData("websocket", "TellToClose", "closedIdle", 6, 0, 0)]
    [InlineData("websocket", "Reset", "lostReused", 0, 6, 1)]
    [InlineData("websocket", "Fin", "lostReused", 0, 6, 1)]
    [InlineData("websocket", "TruncateLength", "truncated", 0, 6, 1)]
    public async Task Idle_connections_are_told_apart_by_how_they_ended(string protocol, string end, string outcome, long fin, long rst, int status)
    {
        ProbeRun run = await Against(protocol, "", $"idle-end={end}", "--keep-alive", "0", "--connect", "0", "--idle", "6");
        Assert.Equal(status, run.Status);
        Assert.Equal((6, fin, rst, 0), (run.Idle("opened"), run.Idle("fin"), run.Idle("rst"), run.Idle("open")));
        Assert.Equal(6, run.After("idle", outcome));
        run.NothingFailedExcept(outcome);
    }

    [Fact]
    public async Task A_stream_is_held_for_longer_than_an_answer_may_take()
    {
        ProbeRun run = await Against("sse", "", "clients=4 finally=HoldLong", "--keep-alive", "4", "--connect", "0", "--request-limit", "400ms");
        Assert.Equal(0, run.Status);
        Assert.True(run.After("ok") >= 4);
        run.NothingFailedExcept();
    }

    [Fact]
    public async Task Clients_that_look_in_leave_a_stream_at_its_first_record()
    {
        ProbeRun run = await Against("sse", "", "clients=4 finally=TruncateChunked", "--keep-alive", "0", "--connect", "4");
        Assert.Equal(0, run.Status);
        Assert.True(run.After("connect", "ok") >= 4);
        run.NothingFailedExcept();
    }

    private static Task<ProbeRun> Against(string protocol, string way, string settings, params string[] options)
    {
        string path = $"/tmp/graceful-probe-{Environment.ProcessId.ToString(CultureInfo.InvariantCulture)}-{{port}}.sock";
        (string setting, string[] option) = way switch
        {
            "tls" => ("tls=yes", ["--tls"]),
            "unix" => ($"unix={path}", ["--unix", path]),
            _ => ("", (string[])[]),
        };
        return ProbeRun.Against($"protocol={protocol} {setting} {settings}", ["--protocol", protocol, .. option, .. options]);
    }
}
