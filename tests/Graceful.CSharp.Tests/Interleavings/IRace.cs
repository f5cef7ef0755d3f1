namespace Graceful.Tests.Interleavings;

/// <summary>What a few threads do at the same moment, and what must hold after it.</summary>
internal interface IRace
{
    /// <summary>The part of one thread; the first is 0.</summary>
    void Act(int thread);

    /// <summary>Called when all threads are through.</summary>
    /// <exception cref="BrokenRuleException">A rule was broken.</exception>
    void Check(Rounds rounds);
}
