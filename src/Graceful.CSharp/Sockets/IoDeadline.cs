namespace Graceful.Sockets;

/// <summary>A moment by which reads, or writes, must be over; it may be moved as often as one likes.</summary>
internal sealed class IoDeadline : IDisposable
{
    /// <summary>The longest that a timer can wait.</summary>
    private static readonly TimeSpan Longest = TimeSpan.FromMilliseconds(uint.MaxValue - 1d);

    private readonly TimeProvider _time;
    private readonly ITimer _timer;
    private readonly Lock _setting = new();
    private CancellationTokenSource _over = new();
    private long? _due;

    public IoDeadline(TimeProvider time)
    {
        _time = time;
        _timer = time.CreateTimer(static deadline => ((IoDeadline)deadline!).Look(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    /// <summary>Fires when the time is over, and stays so until another is set.</summary>
    public CancellationToken Over
    {
        get
        {
            lock (_setting)
            {
                return _over.Token;
            }
        }
    }

    /// <summary>Whether there is one, be it over or not.</summary>
    public bool IsSet
    {
        get
        {
            lock (_setting)
            {
                return _due is not null;
            }
        }
    }

    /// <param name="wait">From now on; null for no limit, zero or less for one that is over.</param>
    public void Set(TimeSpan? wait)
    {
        lock (_setting)
        {
            if (_over.IsCancellationRequested)
            {
                _over = new CancellationTokenSource();
            }

            _due = wait is { } span ? _time.GetTimestamp() + (long)(Math.Min(span.TotalSeconds, TimeSpan.FromDays(3650).TotalSeconds) * _time.TimestampFrequency) : null;
        }

        Look();
    }

    public void Dispose() => _timer.Dispose();

    private void Look()
    {
        CancellationTokenSource over;
        lock (_setting)
        {
            var left = _due is { } due ? _time.GetElapsedTime(_time.GetTimestamp(), due) : Timeout.InfiniteTimeSpan;
            if (_due is null || left > TimeSpan.Zero)
            {
                _timer.Change(_due is null ? Timeout.InfiniteTimeSpan : Rounded(left), Timeout.InfiniteTimeSpan);
                return;
            }

            over = _over;
        }

        over.Cancel();
    }

    /// <summary>Timers count whole milliseconds; rounded up, so that one wake-up is enough.</summary>
    private static TimeSpan Rounded(TimeSpan wait) =>
        wait < Longest ? TimeSpan.FromMilliseconds(Math.Ceiling(wait.TotalMilliseconds)) : Longest;
}
