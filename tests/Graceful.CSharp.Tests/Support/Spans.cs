using System.Diagnostics;

namespace Graceful.Tests.Support;

/// <summary>The activities of all servers of this process that have ended since it was made.</summary>
internal sealed class Spans : IDisposable
{
    private readonly List<Activity> _stopped = [];
    private readonly ActivityListener _listener;

    public Spans()
    {
        _listener = new ActivityListener
        {
            ShouldListenTo = source => source.Name == "Graceful",
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllData,
            ActivityStopped = span =>
            {
                lock (_stopped)
                {
                    _stopped.Add(span);
                }
            },
        };
        ActivitySource.AddActivityListener(_listener);
    }

    public Activity[] Stopped()
    {
        lock (_stopped)
        {
            return [.. _stopped];
        }
    }

    public void Dispose() => _listener.Dispose();
}
