using System.Globalization;
using System.Text;
using Graceful.Reporting;

namespace Graceful;

/// <summary>What happened on the way out. <see cref="ToString"/> is the text that goes to the log.</summary>
public sealed record ShutdownReport
{
    /// <summary>Why the server left.</summary>
    public required StopReason Reason { get; init; }

    /// <summary>
    /// What <see cref="GracefulOptions.ExitCodes"/> has for the <see cref="Outcome"/>: unless that is changed 0 clean, 1 a hook or
    /// a component failed, 2 time ran out and work was cut off, 3 forced by a signal. If it is not 0, and the server
    /// owns the process (<see cref="GracefulOptions.OwnsProcess"/>), it is also put into <see cref="Environment.ExitCode"/>, which a
    /// <c>Main</c> that returns a number overrides.
    /// </summary>
    public required int ExitCode { get; init; }

    /// <summary>How it went, whatever the exit code says.</summary>
    public required ShutdownOutcome Outcome { get; init; }

    /// <summary>From the trigger to the end.</summary>
    public required TimeSpan Duration { get; init; }

    /// <summary>The stages in the order in which they were gone through.</summary>
    public required IReadOnlyList<StageReport> Stages { get; init; }

    /// <summary>All hooks, those before the drain first, as they were arranged: each behind those it waits for.</summary>
    public required IReadOnlyList<HookReport> Hooks { get; init; }

    /// <summary>What went wrong beside hooks, in words; empty when nothing did.</summary>
    public required IReadOnlyList<string> Troubles { get; init; }

    /// <summary>How each listener was closed, in words.</summary>
    public required IReadOnlyList<string> Listeners { get; init; }

    /// <summary>Requests that finished after clients began to be told.</summary>
    public required long RequestsFinished { get; init; }

    /// <summary>
    /// Requests that were cut off because their endpoints allow it, see <see cref="DrainAttribute"/>. They are neither finished
    /// nor a trouble, and health probes are not among them.
    /// </summary>
    public required long RequestsLetGo { get; init; }

    /// <summary>Pieces of work that finished on the way out; see <see cref="IGraceful.Begin"/>.</summary>
    public required long WorkFinished { get; init; }

    /// <summary>Connections that the server closed in order.</summary>
    public required long ConnectionsClosed { get; init; }

    /// <summary>Of these, the ones whose client was told on a response or with a GOAWAY.</summary>
    public required long ConnectionsTold { get; init; }

    /// <summary>Connections that were reset because time ran out.</summary>
    public required long ConnectionsAborted { get; init; }

    /// <summary>
    /// WebSockets that the server closed with code 1001, "going away". Not among them are those that their application or their peer closed first.
    /// </summary>
    public required long WebSocketsClosed { get; init; }

    /// <summary>Of these, the ones whose peer has answered; the application saw a normal close. Who did not is cut off when time is over.</summary>
    public required long WebSocketsAnswered { get; init; }

    /// <summary>The oldest requests, five at most, that took longer than a second and were waited for.</summary>
    public required IReadOnlyList<HeldRequest> WaitedFor { get; init; }

    /// <summary>The oldest work, five pieces at most, that took longer than a second and was waited for.</summary>
    public required IReadOnlyList<HeldWork> WorkWaitedFor { get; init; }

    /// <summary>The oldest requests, five at most, that were cut off because their endpoints allow it.</summary>
    public required IReadOnlyList<HeldRequest> LetGo { get; init; }

    /// <summary>The oldest requests, five at most, that were cut off because time ran out or the stop was forced.</summary>
    public required IReadOnlyList<HeldRequest> CutOff { get; init; }

    /// <summary>The oldest work, five pieces at most, that was not finished when time ran out.</summary>
    public required IReadOnlyList<HeldWork> WorkCutOff { get; init; }

    /// <summary>The report as people read it: one line for the outcome, and one for each thing that took part.</summary>
    /// <returns>Several lines without a final line break.</returns>
    public override string ToString()
    {
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"Left after {Reason} in {Durations.Text(Duration)}, exit code {ExitCode}");
        foreach (var trouble in Troubles)
        {
            Line("trouble", trouble);
        }

        foreach (var stage in Stages)
        {
            Line(stage.Name, Durations.Text(stage.Duration));
        }

        foreach (var listener in Listeners)
        {
            Line("listener", listener);
        }

        Line("requests", string.Create(CultureInfo.InvariantCulture, $"{RequestsFinished} finished on the way out"));
        if (RequestsLetGo > 0)
        {
            Line("let go", string.Create(CultureInfo.InvariantCulture, $"{RequestsLetGo} cut off early, as their endpoints allow"));
        }

        if (WorkFinished > 0)
        {
            Line("work", string.Create(CultureInfo.InvariantCulture, $"{WorkFinished} finished on the way out"));
        }

        Line("connections", string.Create(
            CultureInfo.InvariantCulture,
            $"{ConnectionsClosed} closed ({ConnectionsTold} told on their last response), {ConnectionsAborted} aborted"));
        if (WebSocketsClosed > 0)
        {
            Line("WebSockets", string.Create(CultureInfo.InvariantCulture, $"{WebSocketsClosed} told to go (1001), {WebSocketsAnswered} answered"));
        }

        foreach (var hook in Hooks)
        {
            Line("hook", hook.ToString());
        }

        Lines("waited for", WaitedFor);
        Lines("waited for work", WorkWaitedFor);
        Lines("let go", LetGo);
        Lines("cut off", CutOff);
        Lines("cut off work", WorkCutOff);

        return text.ToString();

        void Lines<T>(string what, IEnumerable<T> values)
            where T : notnull
        {
            foreach (var value in values)
            {
                Line(what, value.ToString()!);
            }
        }

        void Line(string what, string value) =>
            text.AppendLine().Append(CultureInfo.InvariantCulture, $"  {what,-20}{value}");
    }
}
