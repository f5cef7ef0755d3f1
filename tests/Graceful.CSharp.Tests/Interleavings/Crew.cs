namespace Graceful.Tests.Interleavings;

/// <summary>
/// Up to three threads that run races, one after the other; the first thread is the caller's. Before each race they meet
/// and start as one. Who is kept from its processor meanwhile is not waited for long: that race is run, but was not met.
/// </summary>
internal sealed class Crew : IDisposable
{
    public const int Most = 3;

    /// <summary>How often to look whether the others are there, race by race, and how often in all races together.</summary>
    private const int Patience = 200;
    private const int PatienceInAll = 200_000;

    private readonly SemaphoreSlim[] _calls = [.. Enumerable.Range(1, Most - 1).Select(_ => new SemaphoreSlim(0))];
    private readonly CountdownEvent _running = new(1);
    private readonly int[] _arrived = new int[Rounds.Batch];
    private readonly bool[] _missed = new bool[Rounds.Batch];
    private readonly Thread[] _others;
    private IReadOnlyList<IRace> _races = [];
    private Exception? _failure;
    private int _size;
    private volatile bool _over;

    public Crew()
    {
        _others = [.. _calls.Select((call, i) => new Thread(() => Work(call, i + 1)) { IsBackground = true, Name = $"Crew {i + 1}" })];
        Array.ForEach(_others, other => other.Start());
    }

    /// <summary>Runs races on two threads or three.</summary>
    /// <returns>How many races were met by all.</returns>
    public int Run(IReadOnlyList<IRace> races, int size)
    {
        _races = races;
        _size = size;
        Array.Clear(_arrived);
        Array.Clear(_missed);
        _running.Reset(size);
        foreach (var call in _calls.Take(size - 1))
        {
            call.Release();
        }

        RunAll(0);
        if (!_running.Wait(TimeSpan.FromSeconds(60)))
        {
            throw new TimeoutException("The races were not over within 60 s.");
        }

        return _failure is null
            ? races.Count - _missed.Take(races.Count).Count(missed => missed)
            : throw new InvalidOperationException("A race ended badly.", _failure);
    }

    public void Dispose()
    {
        _over = true;
        for (var i = 0; i < _others.Length; i++)
        {
            _calls[i].Release();
            _others[i].Join();
            _calls[i].Dispose();
        }

        _running.Dispose();
    }

    private void Work(SemaphoreSlim call, int thread)
    {
        call.Wait();
        while (!_over)
        {
            RunAll(thread);
            call.Wait();
        }
    }

    private void RunAll(int thread)
    {
        try
        {
            var looks = PatienceInAll;
            for (var i = 0; i < _races.Count; i++)
            {
                Meet(i, ref looks);
                _races[i].Act(thread);
            }
        }
#pragma warning disable CA1031 // It is thrown again on the caller's thread.
        catch (Exception e)
#pragma warning restore CA1031
        {
            _failure ??= e;
        }
        finally
        {
            _running.Signal();
        }
    }

    private void Meet(int race, ref int looks)
    {
        Interlocked.Increment(ref _arrived[race]);
        for (looks = Math.Max(looks, Patience); Volatile.Read(ref _arrived[race]) < _size; looks--)
        {
            if (looks == 0)
            {
                _missed[race] = true;
                return;
            }

            Thread.SpinWait(1);
        }
    }
}
