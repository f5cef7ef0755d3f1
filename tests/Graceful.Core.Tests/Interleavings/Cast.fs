/// Who may meet: acceptors, requests, ends of transports, and the mailbox with one of its orders.
module Graceful.Core.Tests.Interleavings.Cast

open System
open Graceful.Core
open Graceful.Core.Tests.Interleavings.World

type Actor =
    /// Accepts a connection, and serves one request on it if it was let in.
    | Acceptor of int
    /// A request on HTTP/1.
    | Request of int
    /// A request on HTTP/2, of which many may overlap.
    | Stream of int
    /// A request that ends in an upgrade.
    | Upgrade of int
    /// Somebody works on a raw connection, and then does not.
    | Worker of int
    /// The transport is gone.
    | Transport of int
    /// Takes the connection away from us.
    | Owner of int
    | Announcer
    | Drainer
    /// A drain without a quiet period.
    | HastyDrainer
    | Shutter
    /// The lame duck, and then the drain.
    | LameDuck
    /// The drain, and then the force, twice over.
    | Forcer
    /// Closes those whom nobody works on, while the server goes on.
    | Shedder

/// `a` and `m` are inside when it begins, if anybody has to do with them; `x` and `y` are accepted.
let names = [| "a"; "m"; "x"; "y" |]

let private protocols = [| Http1; Http2; Http1; Http2 |]

let private pool =
    [ Acceptor 2; Acceptor 3
      Request 0; Stream 1; Stream 1; Stream 1; Upgrade 0; Worker 0
      Transport 0; Transport 0; Transport 1; Transport 2
      Owner 0; Announcer; Drainer; HastyDrainer; Shutter; LameDuck; Forcer; Shedder ]

let private isMailbox actor =
    match actor with
    | Announcer | Drainer | HastyDrainer | Shutter | LameDuck | Forcer -> true
    | Acceptor _ | Request _ | Stream _ | Upgrade _ | Worker _ | Transport _ | Owner _ | Shedder -> false

let private connection actor =
    match actor with
    | Acceptor c | Request c | Stream c | Upgrade c | Worker c | Transport c | Owner c -> Some c
    | Announcer | Drainer | HastyDrainer | Shutter | LameDuck | Forcer | Shedder -> None

/// One mailbox at most; on `a` one kind of work at a time; a transport of `x` needs somebody who accepts it.
let private makesSense actors =
    let count which = actors |> List.filter which |> List.length
    count isMailbox <= 1
    && count (function Request 0 | Upgrade 0 | Worker 0 -> true | _ -> false) <= 1
    && (count ((=) (Transport 2)) = 0 || count ((=) (Acceptor 2)) > 0)

let rec private choose n from =
    match n, from with
    | 0, _ -> [ [] ]
    | _, [] -> []
    | _, first :: others -> (choose (n - 1) others |> List.map (fun chosen -> first :: chosen)) @ choose n others

/// All pairs, or triples, of actors that may meet.
let casts n = choose n pool |> List.distinct |> List.filter makesSense

let private quietPeriod = TimeSpan.FromMilliseconds 500L

let private program s actor =
    match actor with
    | Acceptor c -> entering s c @ (if c = 2 then [ Read(Begin, c); LookAtHead c; Read(End, c) ] else [ Read(Begin, c); Read(End, c) ])
    | Request c -> [ Read(Begin, c); LookAtHead c; Read(End, c) ]
    | Stream c -> [ Read(Begin, c); Read(End, c) ]
    | Upgrade c -> [ Read(Begin, c); Read(Hijack, c) ]
    | Worker c -> [ Read(MarkInUse, c); Read(MarkIdle, c) ]
    | Transport c -> [ Read(Ended, c) ]
    | Owner c -> [ Read(Disown, c) ]
    | Announcer -> order s Announce Retiring
    | Drainer -> order s Drain Retiring @ [ BeginWalk(Sweeping quietPeriod) ]
    | HastyDrainer -> order s Drain Retiring @ [ BeginWalk(Sweeping TimeSpan.Zero) ]
    | Shutter -> order s Shut Aborting
    | LameDuck -> order s Announce Retiring @ order s Drain Retiring
    | Forcer -> order s Drain Retiring @ order s Shut Aborting @ order s Shut Aborting
    | Shedder -> [ BeginWalk Shedding ]

let setting observed mistake = { Mistake = mistake; Protocols = protocols; Observed = observed }

/// How it begins.
let first s actors =
    let isThere c = c < 2 && List.exists (fun actor -> connection actor = Some c) actors
    let outside =
        { Word = Connection.initial; InTable = false; Admitted = false; Refused = false
          InFlight = 0; Left = 0; Closes = 0; Resets = 0 }
    let enter gate = (let struct (next, _) = Gate.step Enter gate in next)
    let peers = [| for c in 0 .. names.Length - 1 -> if isThere c then { outside with InTable = true; Admitted = true } else outside |]
    { Gate = peers |> Array.filter _.Admitted |> Array.fold (fun gate _ -> enter gate) Gate.initial
      Peers = peers
      ToDo = [| for actor in actors -> program s actor |]
      Leaving = false
      Shut = false
      EverybodyKnows = false
      Emptied = 0
      GotInAfterShut = false
      CutByClose = false }

let nameOf actor =
    match actor with
    | Acceptor c -> $"acceptor of {names[c]}"
    | Request c -> $"request on {names[c]}"
    | Stream c -> $"stream on {names[c]}"
    | Upgrade c -> $"upgrade of {names[c]}"
    | Worker c -> $"worker on {names[c]}"
    | Transport c -> $"transport of {names[c]}"
    | Owner c -> $"owner of {names[c]}"
    | Announcer -> "announcer"
    | Drainer -> "drainer"
    | HastyDrainer -> "drainer without a quiet period"
    | Shutter -> "shutter"
    | LameDuck -> "lame duck"
    | Forcer -> "forcer"
    | Shedder -> "shedder"
