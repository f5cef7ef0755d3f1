/// A second opinion: a connection as a plain record, written from the documented rules and from nothing else.
module Graceful.Core.Tests.ConnectionModel

open Graceful.Core

type Tenure =
    | Open
    | Upgraded
    | Closing
    | Gone

type Model =
    { Tenure: Tenure
      Served: bool
      Retiring: bool
      /// What is in flight is the last: the client knows, or will see it by the close.
      Last: bool
      WasReset: bool
      InFlight: int }

let initial =
    { Tenure = Open; Served = false; Retiring = false; Last = false; WasReset = false; InFlight = 0 }

let private gone = { initial with Tenure = Gone }

/// It serves on, but nobody of us counts that.
let private disowned = { gone with Served = true }

let private usable m = m.Tenure = Open

let private begun m =
    match m.Tenure with
    | Gone
    | Upgraded -> m, Nothing
    | Closing -> { m with InFlight = m.InFlight + 1 }, Nothing
    | Open ->
        let effect =
            if not m.Retiring then (if m.InFlight = 0 then BecameActive else Nothing)
            elif m.Last then Nothing
            else AskToClose
        { m with InFlight = m.InFlight + 1; Served = true }, effect

let private ended m =
    let less = { m with InFlight = m.InFlight - 1 }
    match m.Tenure with
    | Open when m.InFlight = 1 && m.Last -> { less with Tenure = Closing }, Close
    | Open when m.InFlight = 1 -> less, BecameIdle
    | Open when m.InFlight > 1 -> less, Nothing
    | Closing when m.InFlight > 0 -> less, Nothing
    | Open
    | Closing
    | Upgraded
    | Gone -> m, Nothing

let step event m =
    match event with
    | Begin -> begun m
    | End -> ended m
    | Tell when usable m && m.InFlight > 0 -> { m with Retiring = true; Last = true }, Nothing
    | MarkInUse when usable m && m.InFlight = 0 -> { m with InFlight = 1; Served = true }, BecameActive
    | MarkIdle when usable m && m.InFlight > 0 ->
        if m.Retiring then { m with InFlight = 0; Tenure = Closing }, Close else { m with InFlight = 0 }, BecameIdle
    | Hijack when usable m ->
        { m with Tenure = Upgraded; InFlight = 0; Last = false }, (if m.Retiring then AskToClose else BecameHijacked)
    | Retire when (usable m || m.Tenure = Upgraded) && not m.Retiring ->
        { m with Retiring = true }, (if m.InFlight > 0 || m.Tenure = Upgraded then AskToClose else Nothing)
    | Reap when usable m && m.InFlight = 0 -> { m with Retiring = true; Tenure = Closing }, Close
    | Reap when usable m ->
        { m with Retiring = true; Last = true }, (if m.Retiring then Nothing else AskToClose)
    | Shed when usable m && m.InFlight = 0 -> { m with Retiring = true; Tenure = Closing }, Close
    | Disown when usable m || m.Tenure = Upgraded -> disowned, LeaveGate
    | Abort when m.Tenure <> Gone && not m.WasReset ->
        { m with Retiring = true; Tenure = Closing; WasReset = true }, Reset
    | Ended when m.Tenure <> Gone -> gone, LeaveGate
    | Tell
    | MarkInUse
    | MarkIdle
    | Hijack
    | Retire
    | Reap
    | Shed
    | Abort
    | Disown
    | Ended -> m, Nothing

let phase m =
    match m.Tenure with
    | Open when m.InFlight > 0 -> Active
    | Open when m.Served -> Idle
    | Open -> New
    | Upgraded -> Hijacked
    | Closing
    | Gone -> Closed
