using System.Diagnostics;
using Graceful.Tests.Support;

namespace Graceful.Tests.Conformance;

/// <summary>One client of a live server: does what it is told, and says what it saw.</summary>
internal sealed class LiveClient(int port, int number, Func<Door> newDoor) : IDisposable
{
    private RawClient? _connection;
    private Door? _door;
    private bool _isHalf;
    private bool _isUpgraded;
    private long _lastSign = Stopwatch.GetTimestamp();

    /// <summary>For how long the server may have heard nothing: counted from before the last thing that was sent.</summary>
    public TimeSpan QuietAtMost => Stopwatch.GetElapsedTime(_lastSign);

    public async Task<Sight> DoAsync(Act act)
    {
        var before = Stopwatch.GetTimestamp();
        var seen = act switch
        {
            Act.Open => await OpenAsync(),
            Act.Request => await (_isUpgraded ? EchoAsync() : RequestAsync()),
            Act.Slow => await SlowAsync(),
            Act.Release => await ReleaseAsync(),
            Act.Half => await HalfAsync(),
            Act.Upgrade => await UpgradeAsync(),
            Act.Close => Close(),
            Act.SeeOut => await EndAsync(Sight.ClosedAsQuiet),
            _ => await EndAsync(Sight.Aborted),
        };
        if (seen is not (Sight.ClosedAsQuiet or Sight.Aborted))
        {
            _lastSign = before;
        }

        return seen;
    }

    public void Dispose()
    {
        _door?.Open();
        _connection?.Dispose();
    }

    private async Task<Sight> OpenAsync()
    {
        try
        {
            Dispose();
            (_isHalf, _isUpgraded) = (false, false);
            _connection = await RawClient.ConnectAsync(port);
            return Sight.Connected;
        }
        catch (System.Net.Sockets.SocketException e) when (e.SocketErrorCode == System.Net.Sockets.SocketError.ConnectionRefused)
        {
            return Sight.Refused;
        }
    }

    private Task<Sight> RequestAsync()
    {
        var rest = _isHalf ? "alhost\r\n\r\n" : "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
        _isHalf = false;
        return TryAsync(async () =>
        {
            await _connection!.SendAsync(rest);
            return await AnswerAsync("ok");
        });
    }

    private Task<Sight> SlowAsync() => TryAsync(async () =>
    {
        _door = newDoor();
        await _connection!.SendGetAsync($"/client/{number}");
        await Limits.Until(() => _door.IsReached || _connection.HasNews, "a slow request is at work, or its connection is closed");
        return _door.IsReached ? Sight.AtWork : await EndAsync(Sight.ClosedAsQuiet);
    });

    private Task<Sight> ReleaseAsync() => TryAsync(() =>
    {
        _door!.Open();
        return AnswerAsync("ok, at last");
    });

    private Task<Sight> HalfAsync() => TryAsync(async () =>
    {
        _isHalf = true;
        await _connection!.SendAsync("GET / HTTP/1.1\r\nHost: loc");
        return _connection.HasNews ? await EndAsync(Sight.ClosedAsQuiet) : Sight.Waiting;
    });

    private Task<Sight> UpgradeAsync() => TryAsync(async () =>
    {
        await _connection!.SendAsync("GET /upgrade HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n");
        _isUpgraded = (await _connection.ReadHeadAsync()).Status == 101;
        return _isUpgraded ? Sight.Switched : Sight.Broken;
    });

    private async Task<Sight> EchoAsync()
    {
        await _connection!.SendAsync("hello");
        return await _connection.ReadBytesAsync(5) is [(byte)'h', _, _, _, (byte)'o'] ? Sight.Echoed : Sight.Broken;
    }

    private Sight Close()
    {
        Dispose();
        return Sight.Left;
    }

    private async Task<Sight> AnswerAsync(string wanted)
    {
        var response = await _connection!.ReadAsync();
        return (response.Status, response.Text) != (200, wanted) ? Sight.Broken
            : !response.IsTold ? Sight.Answered
            : await _connection.EndAsync() == Ending.Fin ? Sight.AnsweredAndTold
            : Sight.Broken;
    }

    /// <summary>What is cut off in the middle is never right; what ends before its first byte may be, the model says when.</summary>
    private static async Task<Sight> TryAsync(Func<Task<Sight>> act)
    {
        try
        {
            return await act();
        }
        catch (EndOfStreamException e) when (e.Message.EndsWith("in the line ''.", StringComparison.Ordinal))
        {
            return Sight.ClosedAsQuiet;
        }
        catch (IOException e) when (e.InnerException is System.Net.Sockets.SocketException)
        {
            return Sight.ClosedAsQuiet;
        }
        catch (EndOfStreamException)
        {
            return Sight.Broken;
        }
    }

    private async Task<Sight> EndAsync(Sight expected)
    {
        var (text, ending) = await _connection!.ReadToEndAsync();
        var saysNothing = text.Length == 0 || (_isHalf && text.StartsWith("HTTP/1.1 4", StringComparison.Ordinal));
        return !saysNothing ? Sight.Broken
            : expected == Sight.Aborted && ending == Ending.Fin ? Sight.ClosedAsQuiet
            : expected;
    }
}
