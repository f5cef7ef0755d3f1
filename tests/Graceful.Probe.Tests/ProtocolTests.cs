using System.Globalization;
using Xunit;

namespace Graceful.Probe.Tests;

// In each protocol, everything that the rude server does is counted as what it is, as often as its own books say. Every third
// request is treated by the next of the acts; after the signal the server is polite.
public sealed class ProtocolTests
{
    public static TheoryData<string, string, string> Ways => new()
    {
        { "http1", "unix", "Reset,AnswerChunked,Fin,TruncateLength,AnswerUntilClose,TruncateChunked,Garbage,AnswerAndTellToClose,Status503" },
        // What ends the whole connection meets requests that HttpClient has just put on it, which no book knows.
        { "http2", "", "AnswerChunked,ResetStream,ShortBody,TellToClose,Status503" },
        { "http2", "tls", "AnswerChunked,ResetStream,ShortBody,TellToClose,Status503" },
        { "http2", "unix", "ResetStream,ShortBody,TellToClose" },
        { "fastcgi", "", "Reset,AnswerChunked,Fin,TruncateLength,TruncateChunked,ShortBody,Overloaded,Garbage,Status503" },
        { "fastcgi", "tls", "Reset,TruncateLength,Overloaded" },
        { "fastcgi", "unix", "Reset,AnswerChunked,Fin,TruncateLength,TruncateChunked,ShortBody,Overloaded,Garbage,Status503" },
        { "websocket", "", "Reset,AnswerChunked,Fin,TruncateLength,TruncateChunked,TellToClose,CloseWithError,Garbage,AnswerAndTellToClose" },
        { "websocket", "tls", "Reset,AnswerChunked,Fin,TruncateLength,TruncateChunked,TellToClose,CloseWithError,Garbage,AnswerAndTellToClose" },
        { "websocket", "unix", "Fin,TruncateLength,TellToClose,CloseWithError" },
        { "sse", "", "Reset,Fin,TruncateLength,TruncateChunked,Garbage,Status503" },
        { "sse", "tls", "Reset,Fin,TruncateLength,TruncateChunked,Garbage,Status503" },
    };

    [Theory]
    [MemberData(nameof(Ways))]
    public async Task Under_load_every_count_agrees_with_the_servers_own_books(string protocol, string way, string acts)
    {
        // Each of an event stream's clients is held; one that looks in would not see what comes behind the first record.
        string[] load = protocol == "sse" ? ["--keep-alive", "8", "--connect", "0"] : ["--keep-alive", "4", "--connect", "4", "--streams", "1"];
        ProbeRun run = await Against(protocol, way, $"clients=8 every=3 acts={acts}", [.. load, "--load", "400ms"]);

        Assert.Equal(1, run.Status);
        // Where a connection carries one request after the other, and the server closes it behind what it did to one, the next may be on its way
        // already: lost as well, and nobody has read it who could book it.
        long cut = Booked(run, "Reset", "Fin", "ResetStream", "CloseWithError");
        long crossing = protocol == "fastcgi" ? cut + Booked(run, "TruncateLength", "TruncateChunked", "ShortBody", "Garbage", "Overloaded", "Status503") : 0;
        // A few, where HttpClient has put a request on a connection whose end was on its way; fewer than each act has.
        long few = protocol == "http2" ? 6 : 0;
        Agrees(cut, run.Ever("lostNew") + run.Ever("lostReused"), crossing);
        Agrees(BookedAs(run, "New", "Reset", "Fin", "ResetStream", "CloseWithError"), run.Ever("lostNew"));
        Agrees(Booked(run, "TruncateLength", "TruncateChunked", "ShortBody"), run.Ever("truncated"));
        Agrees(Booked(run, "Garbage"), run.Ever("malformed"));
        Agrees(Booked(run, "Status503", "Overloaded"), run.Ever("otherStatus"));
        // To an HTTP/2 client it is a stream that was not taken, and it repeats the request by itself. A Close right behind an echo may meet
        // the next message.
        (long least, long more) = protocol == "websocket" ? (Booked(run, "TellToClose"), Booked(run, "AnswerAndTellToClose")) : (0, 0);
        Assert.InRange(run.Ever("crossed"), least, least + more);
        // One answer was the probe's own question whether the server is up.
        Agrees(Booked(run, "Answer", "AnswerChunked", "AnswerUntilClose", "AnswerAndTellToClose") - 1, run.Ever("ok"));
        Assert.Equal((0, 0), (run.Ever("unanswered"), run.Ever("connectTimeout")));
        foreach (string act in acts.Split(','))
        {
            Assert.True(Booked(run, act) > 0, $"{act} did not happen\n{run.Output}");
        }
        Assert.Empty(run.OnlyRun.GetProperty("probeErrors").EnumerateObject());

        void Agrees(long booked, long counted, long more = 0) => Assert.InRange(counted, booked - few, booked + few + more);
    }

    [Theory]
    [InlineData("http2", "", 8)]
    [InlineData("http2", "tls", 8)]
    [InlineData("fastcgi", "unix", 0)]
    [InlineData("websocket", "", 8)]
    [InlineData("sse", "", 0)]
    public async Task A_polite_server_gives_zeros_and_exit_status_0(string protocol, string way, int told)
    {
        string[] load = protocol == "sse" ? ["--keep-alive", "8", "--connect", "0"] : ["--keep-alive", "4", "--connect", "4", "--streams", "1"];
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

    private static long Booked(ProbeRun run, params string[] acts) => BookedAs(run, "New", acts) + BookedAs(run, "Reused", acts);

    private static long BookedAs(ProbeRun run, string connection, params string[] acts) => run.Booked([.. acts.Select(act => act + connection)]);
}
