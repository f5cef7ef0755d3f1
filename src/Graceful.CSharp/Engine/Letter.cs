using Graceful.Core;

namespace Graceful.Engine;

/// <summary>What lies in the mailbox.</summary>
/// <param name="Happened">The event.</param>
/// <param name="Run">Of a hook's end, the run that it ends. Once that is cancelled nobody wants to hear of it: another may be under way.</param>
/// <param name="Answer">Of a wish that may be refused, who waits to hear of it: true when it was granted, of a drill at its end.</param>
internal readonly record struct Letter(Event Happened, CancellationTokenSource? Run = null, TaskCompletionSource<bool>? Answer = null);
