using Graceful.Core;

namespace Graceful.Engine;

/// <summary>A piece of work that is inside the gate, as a connection is, until it is disposed.</summary>
internal sealed class WorkToken(LifecycleEngine engine, string name) : IDisposable
{
    private readonly long _since = CoarseClock.Now;
    private int _inside;

    public HeldWork Held => new(name, CoarseClock.Since(_since));

    /// <summary>Registers, then enters, like everybody. Refused, it is waited for by nobody, and its end is nobody's business.</summary>
    public WorkToken Enter()
    {
        engine.Works.Add(this);
        if (engine.StepGate(GateEvent.Enter) == GateEffect.Tags.Refuse)
        {
            engine.Works.Remove(this);
        }
        else
        {
            Volatile.Write(ref _inside, 1);
        }

        return this;
    }

    /// <summary>The work is done. Any thread; only the first call counts.</summary>
    public void Dispose()
    {
        if (Interlocked.Exchange(ref _inside, 0) == 1)
        {
            engine.Leave(this);
        }
    }
}
