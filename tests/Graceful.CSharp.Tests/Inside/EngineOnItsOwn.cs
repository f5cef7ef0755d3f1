using Graceful.Core;
using Graceful.Engine;
using Graceful.Tests.Support;

namespace Graceful.Tests.Inside;

/// <summary>An engine without a server around it, on a clock that the test moves.</summary>
public class EngineOnItsOwn : IDisposable
{
    internal ManualTime Time { get; } = new();

    internal LogBook Log { get; } = new();

    internal LifecycleEngine Engine { get; }

    public EngineOnItsOwn()
    {
        var options = new GracefulOptions
        {
            TimeProvider = Time,
            QuietPeriod = TimeSpan.FromSeconds(10),
            GracePeriod = TimeSpan.FromHours(1),
        };
        Engine = new LifecycleEngine(options, Log.CreateLogger("Graceful"));
    }

    public void Dispose()
    {
        Engine.Dispose();
        Log.Dispose();
        GC.SuppressFinalize(this);
    }

    internal PlainConnection Enter(string id, TimeSpan? quiet = null, Exception? failure = null)
    {
        var connection = new PlainConnection(Engine, id) { Quiet = quiet, Failure = failure };
        Assert.True(connection.TryEnter());
        return connection;
    }

    /// <summary>Asks for the stop.</summary>
    internal void Stop() => Engine.Stop(Trigger.Requested);

    internal List<string> InTable()
    {
        var ids = new List<string>();
        foreach (var (connection, _) in Engine.Table)
        {
            ids.Add(connection.Id);
        }

        return ids;
    }
}
