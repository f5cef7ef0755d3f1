using System.Globalization;
using Xunit;

namespace Graceful.Probe.Tests;

// Each class of outcome, counted exactly. The rude server holds all requests of its 4 keep-alive and 3 connecting clients
// before it acts, so it is known what happens to how many.
public sealed class LossTests
{
    private const string Clients = "clients=7";
    private static readonly string[] Load = ["--keep-alive", "4", "--connect", "3"];

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_polite_server_gives_zeros_and_exit_status_0(bool tls)
    {
        ProbeRun run = await ProbeRun.Against(
            $"{Clients} slow=2 {Tls(tls)}", [.. Load, "--idle", "5", "--slow", "2", "--slow-path", "/slow?ms=400", .. TlsOption(tls)]);
        run.NothingFailedExcept();
        Assert.Equal(0, run.Status);
        Assert.True(run.After("ok") >= 4 + 3 + 2);
        Assert.Equal(4 + 3, run.After("toldToClose"));
        Assert.Equal(2, run.After("slow", "ok"));
        Assert.Equal(2, run.OnlyRun.GetProperty("slowInFlightAtSignal").GetInt64());
        Assert.True(run.After("refused") >= 4 + 3);
        Assert.Equal((5, 5, 0, 0), (run.Idle("opened"), run.Idle("fin"), run.Idle("rst"), run.Idle("open")));
        Assert.Equal("0", run.Exit("code"));
        Assert.Contains("0 x1", run.Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("Reset", false, 1)]
    [InlineData("Fin", false, 1)]
    [InlineData("Reset", false, 2)]
    [InlineData("Reset", true, 1)]
    [InlineData("Fin", true, 1)]
    public async Task A_request_cut_off_without_an_answer_is_lost_new_or_lost_reused(string act, bool tls, int threads)
    {
        ProbeRun run = await ProbeRun.Against(
            $"{Clients} finally={act} {Tls(tls)}", [.. Load, "--threads", threads.ToString(CultureInfo.InvariantCulture), .. TlsOption(tls)]);
        Assert.Equal(1, run.Status);
        Assert.Equal((3, 0), (run.After("connect", "lostNew"), run.After("connect", "lostReused")));
        Assert.Equal((0, 4), (run.After("keepAlive", "lostNew"), run.After("keepAlive", "lostReused")));
        run.NothingFailedExcept("lostNew", "lostReused");
    }

    [Theory]
    [InlineData("TruncateLength", false)]
    [InlineData("TruncateChunked", false)]
    [InlineData("TruncateLength", true)]
    [InlineData("TruncateChunked", true)]
    public async Task An_answer_cut_off_is_truncated(string act, bool tls)
    {
        ProbeRun run = await ProbeRun.Against($"{Clients} finally={act} {Tls(tls)}", [.. Load, .. TlsOption(tls)]);
        Assert.Equal(1, run.Status);
        Assert.Equal(7, run.After("truncated"));
        run.NothingFailedExcept("truncated");
    }

    [Fact]
    public async Task An_answer_that_is_not_HTTP_is_malformed()
    {
        ProbeRun run = await ProbeRun.Against($"{Clients} finally=Garbage", Load);
        Assert.Equal(1, run.Status);
        Assert.Equal(7, run.After("malformed"));
        run.NothingFailedExcept("malformed");
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_request_without_an_answer_in_time_is_unanswered(bool tls)
    {
        ProbeRun run = await ProbeRun.Against($"{Clients} finally=Never {Tls(tls)}", [.. Load, "--request-limit", "400ms", .. TlsOption(tls)]);
        Assert.Equal(1, run.Status);
        Assert.Equal(7, run.After("unanswered"));
        run.NothingFailedExcept("unanswered");
    }

    [Fact]
    public async Task Other_statuses_are_counted_by_status_and_are_no_failure()
    {
        ProbeRun run = await ProbeRun.Against($"{Clients} finally=Status503", Load);
        Assert.Equal(0, run.Status);
        Assert.Equal(7, run.After("otherStatus"));
        Assert.Equal(7, run.OnlyRun.GetProperty("after").GetProperty("statuses").GetProperty("503").GetInt64());
        Assert.Contains("503: 7", run.Output, StringComparison.Ordinal);
        run.NothingFailedExcept("otherStatus");
    }

    [Theory]
    [InlineData("AnswerThenFin", false)]
    [InlineData("AnswerThenReset", false)]
    [InlineData("AnswerThenFin", true)]
    [InlineData("AnswerThenReset", true)]
    public async Task A_kept_connection_seen_closed_before_the_next_request_is_closed_idle(string act, bool tls)
    {
        ProbeRun run = await ProbeRun.Against(
            $"clients=4 finally={act} linger=700 {Tls(tls)}", ["--keep-alive", "4", "--connect", "0", "--think", "300ms", .. TlsOption(tls)]);
        Assert.Equal(0, run.Status);
        Assert.Equal(4, run.After("closedIdle"));
        run.NothingFailedExcept();
    }

    [Theory]
    [InlineData("", 6, 0)]
    [InlineData("idle-end=Reset", 0, 6)]
    public async Task Idle_connections_are_told_apart_by_how_they_ended(string settings, long fin, long rst)
    {
        ProbeRun run = await ProbeRun.Against(settings, "--keep-alive", "0", "--connect", "0", "--idle", "6");
        Assert.Equal(0, run.Status);
        Assert.Equal((6, fin, rst, 0), (run.Idle("opened"), run.Idle("fin"), run.Idle("rst"), run.Idle("open")));
        Assert.Equal(6, run.After("idle", "closedIdle"));
        run.NothingFailedExcept();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Under_load_every_count_agrees_with_the_servers_own_books(bool tls)
    {
        const string Acts = "Reset,AnswerChunked,Fin,TruncateLength,AnswerUntilClose,TruncateChunked,Garbage,AnswerAndTellToClose,Status503";
        ProbeRun run = await ProbeRun.Against(
            $"clients=12 every=3 acts={Acts} {Tls(tls)}", ["--keep-alive", "6", "--connect", "6", "--load", "600ms", .. TlsOption(tls)]);
        Assert.Equal(1, run.Status);
        run.AgreesWithTheServersBook();
        Assert.True(run.Ever("lostNew") > 0 && run.Ever("lostReused") > 0 && run.Ever("truncated") > 0 && run.Ever("malformed") > 0);
    }

    private static string Tls(bool tls) => tls ? "tls=yes" : "";

    private static string[] TlsOption(bool tls) => tls ? ["--tls"] : [];
}
