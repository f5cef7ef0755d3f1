using System.Diagnostics;

namespace Graceful.Probe;

// Plain HTTP: the clients dealt out over one or a few epoll threads.
internal sealed class EpollLoad : ILoad
{
    private readonly EpollLoop[] loops;
    private readonly Thread[] threads;

    public EpollLoad(LoadPlan plan, StageBoard board)
    {
        var dealt = new List<Client>[plan.Threads];
        for (int i = 0; i < dealt.Length; i++)
        {
            dealt[i] = [];
        }
        int number = 0;
        foreach (ClientKind kind in Enum.GetValues<ClientKind>())
        {
            for (int i = 0; i < plan.Count(kind); i++, number++)
            {
                List<Client> hand = dealt[i % dealt.Length];
                hand.Add(new Client(kind, hand.Count, SourceAddresses.LastByte(number, plan.Sources)));
            }
        }
        loops = [.. dealt.Select(hand => new EpollLoop(plan, board, hand))];
        threads = [.. loops.Select((loop, i) => new Thread(loop.Run) { IsBackground = true, Name = $"clients {i + 1}" })];
    }

    public long AnswersSoFar => loops.Sum(loop => loop.Tally.AnswersSoFar);

    public long ConnectionsSoFar => loops.Sum(loop => loop.Tally.ConnectionsSoFar);

    public int IdleToOpen => loops.Sum(loop => loop.IdleToOpen);

    public void Start()
    {
        foreach (Thread thread in threads)
        {
            thread.Start();
        }
    }

    public bool Join(TimeSpan limit)
    {
        long from = Stopwatch.GetTimestamp();
        foreach (Thread thread in threads)
        {
            TimeSpan left = limit - Stopwatch.GetElapsedTime(from);
            if (!thread.Join(left > TimeSpan.Zero ? left : TimeSpan.Zero))
            {
                return false;
            }
        }
        return true;
    }

    public Tally Tally()
    {
        var sum = new Tally();
        foreach (EpollLoop loop in loops)
        {
            sum.Add(loop.Tally);
        }
        return sum;
    }
}
