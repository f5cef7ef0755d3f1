using Graceful.Core;

namespace Graceful.Engine;

/// <summary>Runs the user's hooks when the core says so, outside the mailbox. When they are over time is the core's business.</summary>
internal sealed class HookRunner(IReadOnlyList<HookRegistration> hooks, Action<Letter> post) : IDisposable
{
    private static readonly AsyncLocal<HookRunner?> InsideHook = new();

    /// <summary>It is a matter of microseconds; no hook is held up longer than this.</summary>
    private static readonly TimeSpan StartAfterLimit = TimeSpan.FromSeconds(1);

    private readonly Dictionary<int, (CancellationTokenSource Run, Task Over)> _running = [];

    /// <summary>Whether the caller runs as part of a hook, so that waiting for the end would be waiting for itself.</summary>
    public bool IsInsideHook => InsideHook.Value == this;

    /// <summary>What hooks may rely on to have happened when they run.</summary>
    public WaitHandle? StartAfter { get; set; }

    public void Start(int index, StopReason reason)
    {
        var run = new CancellationTokenSource();
        lock (_running)
        {
            // It is called again after a stop that was undone, and never beside itself.
            var before = _running.TryGetValue(index, out var last) ? last.Over : Task.CompletedTask;
            _running[index] = (run, Task.Run(() => RunAsync(index, reason, run, before)));
        }
    }

    public void Cancel(int index)
    {
        lock (_running)
        {
            // The callbacks of the token are the user's code, so they run elsewhere.
            _ = _running[index].Run.CancelAsync();
        }
    }

    public void Dispose()
    {
        lock (_running)
        {
            foreach (var (run, _) in _running.Values)
            {
                run.Dispose();
            }
        }
    }

    private async Task RunAsync(int index, StopReason reason, CancellationTokenSource run, Task before)
    {
        InsideHook.Value = this;
        var token = run.Token;
        StartAfter?.WaitOne(StartAfterLimit);
        await before.ConfigureAwait(false);
        if (token.IsCancellationRequested)
        {
            // It is not wanted any more, and has done nothing that would have to be undone.
            return;
        }

        HookResult result;
        try
        {
            await hooks[index].Run(reason, token).ConfigureAwait(false);
            result = HookResult.Succeeded;
        }
#pragma warning disable CA1031 // Whatever a hook throws is its result.
        catch (Exception e)
#pragma warning restore CA1031
        {
            result = HookResult.NewFailed($"{e.GetType().Name}: {e.Message}");
        }

        post(new Letter(Event.NewHookFinished(index, result)) { Run = run });
    }
}
