namespace Graceful.Tests.Interleavings;

/// <summary>What each thread asked of a cell in a race, and what it was answered.</summary>
internal sealed class Ledgers<TEvent>(Func<TEvent, int> cell, int threads)
{
    private readonly List<(TEvent Event, int Answer)>[] _ledgers = [.. Enumerable.Range(0, threads).Select(_ => new List<(TEvent, int)>(4))];

    public int Ask(int thread, TEvent happened)
    {
        var answer = cell(happened);
        _ledgers[thread].Add((happened, answer));
        return answer;
    }

    public int Times(int answer) => _ledgers.Sum(ledger => ledger.Count(line => line.Answer == answer));

    public bool Got(int thread, int answer) => _ledgers[thread].Exists(line => line.Answer == answer);

    /// <summary>
    /// Whether there is an order of whole steps in which the core itself gives every thread the answers that it got, and
    /// ends where the cell ended. If there is none, the steps were not atomic.
    /// </summary>
    public bool Explain<TWord>(TWord first, Func<TEvent, TWord, (TWord Next, int Answer)> step, Func<TWord, bool> ends)
    {
        Span<int> at = stackalloc int[threads];
        at.Clear();
        return Explain(first, at, step, ends);
    }

    public override string ToString() => string.Join("; ", _ledgers.Select((ledger, i) =>
        $"thread {i}: {(ledger.Count == 0 ? "nothing" : string.Join(", ", ledger.Select(line => $"{line.Event} -> {line.Answer}")))}"));

    private bool Explain<TWord>(TWord word, Span<int> at, Func<TEvent, TWord, (TWord Next, int Answer)> step, Func<TWord, bool> ends)
    {
        var through = true;
        for (var thread = 0; thread < threads; thread++)
        {
            if (at[thread] == _ledgers[thread].Count)
            {
                continue;
            }

            through = false;
            var (happened, answer) = _ledgers[thread][at[thread]];
            var (next, expected) = step(happened, word);
            if (expected != answer)
            {
                continue;
            }

            at[thread]++;
            var found = Explain(next, at, step, ends);
            at[thread]--;
            if (found)
            {
                return true;
            }
        }

        return through && ends(word);
    }
}
