using System.Diagnostics;
using Graceful.Tests.Support;

namespace Graceful.Tests.Conformance;

/// <summary>A clock that goes on by itself, and jumps when it is told to.</summary>
internal sealed class RunningTime : IAsyncDisposable
{
    private readonly CancellationTokenSource _end = new();
    private readonly Task _running;

    public RunningTime() => _running = RunAsync();

    public ManualTime Provider { get; } = new();

    public void Jump(TimeSpan span) => Provider.Advance(span);

    public async ValueTask DisposeAsync()
    {
        await _end.CancelAsync();
        await _running;
        _end.Dispose();
    }

    private async Task RunAsync()
    {
        var last = Stopwatch.GetTimestamp();
        while (!_end.IsCancellationRequested)
        {
            await Task.Delay(5);
            var now = Stopwatch.GetTimestamp();
            Provider.Advance(Stopwatch.GetElapsedTime(last, now));
            last = now;
        }
    }
}
