/// What must be true of a whole server, at every edge of its lifecycle and at its end.
module Graceful.Core.Tests.Simulation.Rules

open Graceful.Core
open Graceful.Core.Tests

let private onePeer (w: World) (p: Peer) =
    if w.Wheel.Due p.Number <> p.NextAt && p.NextAt < Time.Done then w.Break $"the simulation itself forgot connection {p.Number}"
    match p.Place with
    | Place.Inside ->
        if Connection.isGone p.Word then w.Break "a connection is gone, and never left the gate"
        if w.EverybodyKnows && not (Connection.isRetiring p.Word) then w.Break "somebody inside does not know that we leave"
        let phase = Connection.phase p.Word
        if (phase = Closed) <> (p.ServerClosed || p.WasReset) then w.Break "closed is who was closed or reset, and nobody else"
        if (phase = Hijacked) <> (p.WasHijacked && not p.WasReset) then w.Break "hijacked is who was upgraded, and nobody else"
        if phase = Active && p.AtWork = 0 then w.Break "active, and nobody works on it"
    | Place.Left -> if p.Outstanding > 0 && not (p.ClientLeft || p.WasReset || w.Forced) then w.Break "it left with a request unanswered"
    | _ -> if p.AtWork > 0 then w.Break "a request began on a connection that is not inside"

/// Everything at once: every connection, the gate, and each against the other.
let whole (w: World) =
    let mutable entered = 0
    for i in 0 .. w.Count - 1 do
        let p = w.Peers[i]
        onePeer w p
        if p.Place = Place.Inside || p.Place = Place.Entering then entered <- entered + 1
    if entered <> w.Inside then w.Break "who is inside by the table is not who is inside by the gate"
    if Gate.isSealed w.Gate && w.Emptied <> 1 then w.Break "the gate is sealed, and nobody heard that it is empty"

let private shutdown state =
    match state with
    | Draining(s, _)
    | Hooks(s, _)
    | Exited s -> ValueSome s
    | Running _
    | IdleExpired
    | Drilling _ -> ValueNone

/// Who is inside when a server idles out.
let private besideWhom (w: World) =
    let isInside matches =
        let rec find i = i < w.Count && ((w.Peers[i].Place = Place.Inside && matches w.Peers[i]) || find (i + 1))
        find 0
    if isInside (fun p -> Connection.phase p.Word = Active && not p.Counts) then w.Tally.Count Happening.IdledOutBesideAProbe
    if isInside (fun p -> Connection.phase p.Word = Hijacked) then w.Tally.Count Happening.IdledOutBesideTheHijacked

let private notice (w: World) (s: Step) from into =
    match s.After with
    | IdleExpired when from <> into -> w.Tally.Count Happening.WentIdle
    | Running(Absent, _) when from = Stage.IdleExpired -> w.Tally.Count Happening.CameBackFromIdle
    | Running(Absent, _) when from = Stage.Drilling -> w.Tally.Count Happening.CameBackFromADrill
    | Running(Absent, _) when from > Stage.Drilling -> w.Tally.Count Happening.CameBackFromAStop
    | Draining(_, LameDuck _) when from <> into -> w.Tally.Count Happening.LameDuckEntered
    | _ ->
        match s.Event with
        | SuccessorFailed _ when s.After <> s.Before -> w.Tally.Count Happening.SuccessorFailed
        | _ -> ()

/// One step of the lifecycle, and everything when it went from one stage to another.
let edge (w: World) (s: Step) =
    let from, into = Lifecycle.stage s.Before, Lifecycle.stage s.After
    let provisional =
        from = Stage.IdleExpired || from = Stage.Drilling || (s.Event = ResumeRequested && Lifecycle.mayResume s.Before)
    if into < from && not (provisional && into = Stage.Running) then w.Break $"it went back from %A{from} to %A{into}"
    match Lifecycle.nextDue s.After, s.Wake with
    | ValueSome due, [ WakeAt moment ] when moment = due -> ()
    | ValueNone, [] -> ()
    | _ -> w.Break "the wake-up that is ordered is not the one that is needed"
    match shutdown s.Before, shutdown s.After with
    | ValueSome before, ValueSome after when before.Trigger <> after.Trigger || before.Deadline <> after.Deadline ->
        w.Break "the trigger or the deadline changed on the way out"
    | ValueNone, ValueSome { Trigger = IdledOut } ->
        match s.Event with
        | IdleSampled(0, _) -> besideWhom w
        | _ -> w.Break "it idled out while somebody was busy"
    | _ -> ()
    match s.Event, s.Before, s.After with
    | SuccessorFailed _, Running(Starting _, idle), after when after <> Running(Absent, idle) ->
        w.Break "a hand-over that failed changed something"
    | _ -> ()
    if List.contains AbortConnections s.Orders then
        match s.Event, s.Before with
        | (ForceRequested _ | StopRequested(Signal _)), Draining _ -> ()
        | Woke, Draining({ Deadline = ValueSome deadline }, _) when s.Now >= deadline -> ()
        | (HookFinished _ | Woke), Draining(_, RunningBeforeHooks _)
            when (shutdown s.After).Value.Troubles |> List.contains (Forced HookFailed) -> ()
        | _ -> w.Break "forced, and not by the deadline, a second signal or whoever may"
    notice w s from into
    if from <> into then whole w
