/// A life of the Lifecycle as a list of steps, however it was made: what its properties and its oracle are said in.
[<AutoOpen>]
module Graceful.Core.Tests.LifecycleSteps

open System
open Graceful.Core

let ms (n: int) = TimeSpan.FromMilliseconds(int64 n)
let at (n: int) = Instant(TimeSpan.FromMilliseconds(int64 n).Ticks)

/// A hook that waits for the one before it.
let hook name stage limit =
    { Name = name; Stage = stage; TimeLimit = ms limit; WaitsFor = ValueNone; OnFailure = Continue }

/// A policy without wishes, and without limits.
let wishless =
    { LameDuck = TimeSpan.Zero
      QuietPeriod = TimeSpan.Zero
      GracePeriod = ValueNone
      DoubleKick = TimeSpan.Zero
      IdleLimit = ValueNone
      SuccessorLimit = TimeSpan.Zero
      Hooks = [||] }

/// What happens next. Said in terms of what the server waits for, so that random lives get far.
type Move =
    /// The very answer that the state waits for; a hook, a successor or an idle sample takes its result from here.
    | Answer of HookResult
    /// The clock comes to when it wants to be woken.
    | WakeUp
    /// A timer fires too soon.
    | WakeEarly
    /// A timer fires too late.
    | WakeLate
    /// Time goes by and nobody looks.
    | Pass of milliseconds: int
    /// Anything at all, expected or not.
    | Say of Event

type Step =
    { Now: Instant
      Event: Event
      Before: Lifecycle
      After: Lifecycle
      /// What was ordered beside the wake-up.
      Orders: Effect list
      Wake: Effect list }

type Trace =
    { Policy: Policy
      Moves: Move list
      Steps: Step list
      /// When the way out began.
      Stopped: Instant }

let private isWake effect =
    match effect with
    | WakeAt _ -> true
    | _ -> false

let run policy now event state =
    let struct (next, effects) = Lifecycle.step policy now event state
    let wake, orders = List.partition isWake effects
    { Now = now; Event = event; Before = state; After = next; Orders = orders; Wake = wake }

/// The same seed makes the same lives, here and in the simulation.
let seed =
    match Environment.GetEnvironmentVariable "GRACEFUL_SEED" with
    | null
    | "" -> 20_26UL
    | text -> UInt64.Parse text
