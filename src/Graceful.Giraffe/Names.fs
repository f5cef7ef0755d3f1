namespace Graceful.Giraffe

// So that `open Graceful.Giraffe` is all that a Giraffe user opens: after `open Graceful` the compiler would take `open Giraffe` for
// this namespace and refuse it (FS0893).

/// <summary>The service of the way out: <see cref="T:Graceful.IGraceful"/>.</summary>
type IGraceful = Graceful.IGraceful

/// <summary>How a server leaves: <see cref="T:Graceful.GracefulOptions"/>. The functions of <c>GracefulSettings</c> change it.</summary>
type GracefulOptions = Graceful.GracefulOptions

/// <summary>Why a server leaves, as hooks are told: <see cref="T:Graceful.StopReason"/>.</summary>
type StopReason = Graceful.StopReason

/// <summary>What kind of cause it was: <see cref="T:Graceful.StopCause"/>.</summary>
type StopCause = Graceful.StopCause

/// <summary>What happened on the way out: <see cref="T:Graceful.ShutdownReport"/>.</summary>
type ShutdownReport = Graceful.ShutdownReport

/// <summary>What keeps newcomers out of a listener that closes: <see cref="T:Graceful.IntakeMethod"/>.</summary>
type IntakeMethod = Graceful.IntakeMethod

/// <summary>The phase of a connection's life: <see cref="T:Graceful.ConnectionPhase"/>.</summary>
type ConnectionPhase = Graceful.ConnectionPhase

/// <summary>What follows when a hook fails: <see cref="T:Graceful.HookFailurePolicy"/>.</summary>
type HookFailurePolicy = Graceful.HookFailurePolicy

/// <summary>What the process exits with, by outcome: <see cref="T:Graceful.ExitCodes"/>.</summary>
type ExitCodes = Graceful.ExitCodes

/// <summary>How the way out went: <see cref="T:Graceful.ShutdownOutcome"/>.</summary>
type ShutdownOutcome = Graceful.ShutdownOutcome

/// <summary>What the drain owes the requests of an endpoint: <see cref="T:Graceful.DrainMode"/>.</summary>
type DrainMode = Graceful.DrainMode

/// <summary>What a signal does: <see cref="T:Graceful.SignalAction"/>.</summary>
type SignalAction = Graceful.SignalAction

/// <summary>A lifetime that ends when nothing was busy for a limit: <see cref="T:Graceful.IdleTracker"/>.</summary>
type IdleTracker = Graceful.IdleTracker

/// <summary>What ended such a lifetime: <see cref="T:Graceful.IdleReason"/>.</summary>
type IdleReason = Graceful.IdleReason
