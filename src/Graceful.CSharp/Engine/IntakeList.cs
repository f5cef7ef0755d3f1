namespace Graceful.Engine;

/// <summary>All that lets connections in. Any thread.</summary>
internal sealed class IntakeList
{
    private readonly List<IIntake> _intakes = [];
    private bool _areClosed;

    /// <returns>False when it comes too late: the listeners close or are closed, and nobody would close this one.</returns>
    public bool TryAdd(IIntake intake)
    {
        lock (_intakes)
        {
            if (!_areClosed)
            {
                _intakes.Add(intake);
            }

            return !_areClosed;
        }
    }

    public void Remove(IIntake intake)
    {
        lock (_intakes)
        {
            _intakes.Remove(intake);
        }
    }

    public IIntake[] All()
    {
        lock (_intakes)
        {
            return [.. _intakes];
        }
    }

    /// <summary>Completes when nobody is being accepted any more; fails when one of them does.</summary>
    public async Task PauseAsync() => await Task.WhenAll(All().Select(static intake => intake.PauseAsync())).ConfigureAwait(false);

    public void Resume() => Array.ForEach(All(), static intake => intake.Resume());

    /// <summary>Stops them all at once, and none is added any more.</summary>
    public Task<IntakeOutcome[]> StopAsync(bool successorHasThem)
    {
        lock (_intakes)
        {
            _areClosed = true;
        }

        return Task.WhenAll(All().Select(intake => intake.StopAsync(successorHasThem)));
    }
}
