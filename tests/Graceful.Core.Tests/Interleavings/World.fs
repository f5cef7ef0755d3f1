/// The cells and the table as threads see them. Every look, swap and change of the table is an atomic step of its own, and
/// between two steps of one actor anybody else may act. The words are stepped by the real functions of the core; around
/// them this file repeats what the adapters do, one line of theirs a step.
module Graceful.Core.Tests.Interleavings.World

open System
open Graceful.Core

/// A mistake that somebody could make in the adapters.
type Mistake =
    | Unspoilt
    | GateByPlainStore
    | WordByPlainStore
    | SwapNotTriedAgain
    | WalkBeforeGate
    | EnterBeforeRegister
    | RetireForgotten
    | LeaveBeforeRemove
    | LeaveTwice
    | LeaveForgotten
    | RefusedOneStays
    | RefusedOneLeaves
    | RefusalIgnored
    | EmptyByALook
    | CloseByALook

/// How a connection tells its client: on a response head, or with a GOAWAY as soon as it is asked.
type Protocol =
    | Http1
    | Http2

/// What a walk through the table does with everybody that it sees.
type Purpose =
    | Retiring
    | Aborting
    /// All have been quiet for as long as the quiet period.
    | Sweeping of quietPeriod: TimeSpan
    /// The server goes on without those whom nobody works on.
    | Shedding

/// One atomic step; a number is a connection. What an actor still has to do is a list of these.
type Act =
    | Add of int
    | Remove of int
    | ReadGate of GateEvent * int
    | SwapGate of GateEvent * int * seen: Gate
    | LookWhetherEmpty
    | Read of ConnectionEvent * int
    | Swap of ConnectionEvent * int * seen: Connection
    | LookAtHead of int
    | Judge of TimeSpan * int
    | BeginWalk of Purpose
    /// `due`: those whom the walk must not miss; `seen`: those whom it saw. Sets of bits.
    | WalkOn of Purpose * due: int * seen: int
    /// The mailbox goes on: whoever is inside was told by now.
    | GoOn

type Peer =
    { Word: Connection
      InTable: bool
      Admitted: bool
      Refused: bool
      // What follows is counted beside the word, so that the word can be held against it.
      InFlight: int
      Left: int
      Closes: int
      Resets: int }

type World =
    { Gate: Gate
      Peers: Peer[]
      ToDo: Act list[]
      /// `Drain` or `Shut` was said, `Shut` was said.
      Leaving: bool
      Shut: bool
      EverybodyKnows: bool
      Emptied: int
      GotInAfterShut: bool
      CutByClose: bool }

/// What does not change while the actors act.
type Setting =
    { Mistake: Mistake
      Protocols: Protocol[]
      /// The users' observer is there, and with it the cell swaps words that stay the same too.
      Observed: bool }

let isInside peer = peer.Admitted && peer.Left = 0

let private todo actor acts w = { w with ToDo = Array.updateAt actor acts w.ToDo }

let private change c how w = { w with Peers = Array.updateAt c (how w.Peers[c]) w.Peers }

// ---- what the adapters do, as lists of steps --------------------------------------------------------------------------

/// `TrackedConnection.TryEnter`, up to the gate's answer.
let entering s c =
    if s.Mistake = EnterBeforeRegister then [ ReadGate(Enter, c); Add c ] else [ Add c; ReadGate(Enter, c) ]

/// `LifecycleEngine.Leave`.
let private leaving s c =
    match s.Mistake with
    | LeaveBeforeRemove -> [ ReadGate(Leave, c); Remove c ]
    | LeaveTwice -> [ Remove c; ReadGate(Leave, c); ReadGate(Leave, c) ]
    | LeaveForgotten -> [ Remove c ]
    | _ -> [ Remove c; ReadGate(Leave, c) ]

/// An order of the lifecycle's: step the gate, then walk the table.
let order s event purpose =
    if s.Mistake = WalkBeforeGate then [ BeginWalk purpose; ReadGate(event, -1); GoOn ]
    else [ ReadGate(event, -1); BeginWalk purpose; GoOn ]

// ---- the steps --------------------------------------------------------------------------------------------------------

/// The gate's word was changed; what the answer means to whoever asked.
let private answered s actor event c effect rest w =
    let w =
        match event with
        | Drain -> { w with Leaving = true }
        | Shut -> { w with Leaving = true; Shut = true }
        | Enter | Leave | Announce | Withdraw -> w
    let w =
        match event, effect with
        | Leave, _ -> change c (fun p -> { p with Left = p.Left + 1 }) w
        | Enter, Refuse when s.Mistake <> RefusalIgnored -> change c (fun p -> { p with Refused = true }) w
        | Enter, _ -> change c (fun p -> { p with Admitted = true }) { w with GotInAfterShut = w.GotInAfterShut || w.Shut }
        | (Announce | Withdraw | Drain | Shut), _ -> w
    match event, effect with
    | Leave, _ when s.Mistake = EmptyByALook -> todo actor (LookWhetherEmpty :: rest) w
    | _, Emptied -> todo actor rest { w with Emptied = w.Emptied + 1 }
    | Enter, AdmitRetiring when s.Mistake <> RetireForgotten -> todo actor (Read(Retire, c) :: rest) w
    | Enter, Refuse when s.Mistake <> RefusalIgnored ->
        match s.Mistake with
        | RefusedOneStays -> todo actor [] w
        | RefusedOneLeaves -> todo actor (leaving s c) w
        | _ -> todo actor [ Remove c ] w
    | _ -> todo actor rest w

/// A connection's word was changed; `TrackedConnection.Apply`.
let private obey s actor event c before effect rest w =
    let w =
        match event with
        | Begin when not (Connection.isGone before) -> change c (fun p -> { p with InFlight = p.InFlight + 1 }) w
        | End -> change c (fun p -> { p with InFlight = max 0 (p.InFlight - 1) }) w
        | MarkInUse -> change c (fun p -> { p with InFlight = 1 }) w
        // Whatever was in flight became the connection itself.
        | MarkIdle | Hijack -> change c (fun p -> { p with InFlight = 0 }) w
        | Begin | Tell | Retire | Reap | Shed | Abort | Disown | Ended -> w
    match effect with
    | Nothing | BecameActive | BecameIdle | BecameHijacked -> todo actor rest w
    | AskToClose -> todo actor (if s.Protocols[c] = Http2 then Read(Tell, c) :: rest else rest) w
    | Close ->
        { w with CutByClose = w.CutByClose || w.Peers[c].InFlight > 0 }
        |> change c (fun p -> { p with Closes = p.Closes + 1 }) |> todo actor rest
    | Reset -> w |> change c (fun p -> { p with Resets = p.Resets + 1 }) |> todo actor rest
    | LeaveGate -> todo actor (leaving s c @ rest) w

let private swapGate s actor event c seen rest w =
    let struct (next, effect) = Gate.step event seen
    if w.Gate = seen || s.Mistake = GateByPlainStore then answered s actor event c effect rest { w with Gate = next }
    elif s.Mistake = SwapNotTriedAgain then answered s actor event c effect rest w
    else todo actor (SwapGate(event, c, w.Gate) :: rest) w

let private swap s actor event c seen rest w =
    let struct (next, effect) = Connection.step event seen
    let word = w.Peers[c].Word
    if word = seen || s.Mistake = WordByPlainStore || (s.Mistake = CloseByALook && (event = Reap || event = Shed)) then
        w |> change c (fun p -> { p with Word = next }) |> obey s actor event c seen effect rest
    elif s.Mistake = SwapNotTriedAgain then obey s actor event c seen effect rest w
    else todo actor (Swap(event, c, word) :: rest) w

let private readWord s actor event c rest w =
    let seen = w.Peers[c].Word
    let struct (next, effect) = Connection.step event seen
    // The cell does not swap a word for itself, unless an observer has to hear of both.
    if next = seen && not s.Observed then obey s actor event c seen effect rest w
    else todo actor (Swap(event, c, seen) :: rest) w

let private inTable w =
    Seq.fold (fun set c -> if w.Peers[c].InTable then set ||| (1 <<< c) else set) 0 (seq { 0 .. w.Peers.Length - 1 })

/// A walk sees everybody who was there when it began and still is; later ones, and those who left meanwhile, it may see.
let private walkOn actor purpose due seen rest w =
    let present = inTable w
    let visit c =
        let act =
            match purpose with
            | Retiring -> Read(Retire, c)
            | Aborting -> Read(Abort, c)
            | Sweeping quietPeriod -> Judge(quietPeriod, c)
            | Shedding -> Read(Shed, c)
        todo actor (act :: WalkOn(purpose, due, seen ||| (1 <<< c)) :: rest) w
    [ for c in 0 .. w.Peers.Length - 1 do
          if (present ||| due) &&& ~~~seen &&& (1 <<< c) <> 0 then visit c
      if due &&& present &&& ~~~seen = 0 then todo actor rest w ]

/// All that can come of the next step of an actor; nothing when it waits for somebody else.
let act s actor w =
    match w.ToDo[actor] with
    | [] -> []
    // A transport ends only after it was let in.
    | Read(Ended, c) :: _ when not w.Peers[c].Admitted -> []
    | Add c :: rest -> [ w |> change c (fun p -> { p with InTable = true }) |> todo actor rest ]
    | Remove c :: rest -> [ w |> change c (fun p -> { p with InTable = false }) |> todo actor rest ]
    | ReadGate(event, c) :: rest -> [ todo actor (SwapGate(event, c, w.Gate) :: rest) w ]
    | SwapGate(event, c, seen) :: rest -> [ swapGate s actor event c seen rest w ]
    | LookWhetherEmpty :: rest ->
        [ todo actor rest (if Gate.isSealed w.Gate then { w with Emptied = w.Emptied + 1 } else w) ]
    | Read(event, c) :: rest -> [ readWord s actor event c rest w ]
    | Swap(event, c, seen) :: rest -> [ swap s actor event c seen rest w ]
    | LookAtHead c :: rest ->
        [ todo actor (if Connection.mustTell w.Peers[c].Word then Read(Tell, c) :: rest else rest) w ]
    | Judge(quietPeriod, c) :: rest ->
        let seen = w.Peers[c].Word
        let struct (verdict, _) = Connection.judge quietPeriod quietPeriod false seen
        let reap = if s.Mistake = CloseByALook then Swap(Reap, c, seen) else Read(Reap, c)
        let next =
            match verdict with
            | RetireFirst -> Read(Retire, c) :: Judge(quietPeriod, c) :: rest
            | ReapNow -> reap :: rest
            | LeaveAlone
            | Hasten -> rest
        [ todo actor next w ]
    | BeginWalk purpose :: rest -> [ todo actor (WalkOn(purpose, inTable w, 0) :: rest) w ]
    | WalkOn(purpose, due, seen) :: rest -> walkOn actor purpose due seen rest w
    | GoOn :: rest -> [ todo actor rest { w with EverybodyKnows = true } ]

// ---- the rules --------------------------------------------------------------------------------------------------------

/// Whether somebody is about to step it with `Retire`, as who was told so by the gate is.
let private isBeingRetired c w =
    w.ToDo
    |> Array.exists (
        List.exists (function
            | Read(Retire, d)
            | Swap(Retire, d, _) -> c = d
            | _ -> false)
    )

let private missedTheNotice w c =
    let p = w.Peers[c]
    isInside p && not (Connection.isRetiring p.Word || Connection.isGone p.Word) && not (isBeingRetired c w)

let private inside w = w.Peers |> Array.filter isInside |> Array.length

let private some rule w = Array.exists rule w.Peers

/// What must never be, between any two steps, whoever is about to act.
let private never: (string * (World -> bool)) list =
    [ "somebody got in after Shut", _.GotInAfterShut
      "a Close cut a request in flight", _.CutByClose
      "a connection left the gate twice", some (fun p -> p.Left > 1)
      "a connection left that was never let in", some (fun p -> p.Left > 0 && not p.Admitted)
      "a connection was closed twice", some (fun p -> p.Closes > 1)
      "a connection was reset twice", some (fun p -> p.Resets > 1)
      "Emptied came twice", (fun w -> w.Emptied > 1)
      "Emptied came while somebody was inside", (fun w -> w.Emptied > 0 && inside w > 0)
      "Emptied came while somebody was in the table",
      (fun w -> w.Emptied > 0 && some (fun p -> p.Admitted && p.InTable) w)
      "somebody inside missed the notice",
      (fun w -> w.EverybodyKnows && Seq.exists (missedTheNotice w) (seq { 0 .. w.Peers.Length - 1 }))
      "the gate lost count", (fun w -> Gate.inside w.Gate <> int64 (inside w)) ]

/// When all actors are through: the world after a last sweep, if we leave, and after the end of everybody.
type Ending = { Swept: World; Ended: World }

let private isOver p = match Connection.phase p.Word with Closed | Hijacked -> true | New | Active | Idle -> false

/// What must not be when all is over.
let private neverAtTheEnd: (string * (Ending -> bool)) list =
    [ "somebody quiet was not closed", (fun e -> e.Swept.Leaving && e.Swept |> some (fun p -> isInside p && not (isOver p)))
      "somebody never left the gate", (fun e -> e.Ended |> some (fun p -> p.Admitted && p.Left = 0))
      "the table was not empty in the end", (fun e -> e.Ended |> some _.InTable)
      "all had left and Emptied never came", (fun e -> e.Ended.Leaving && inside e.Ended = 0 && e.Ended.Emptied = 0)
      "the gate was not sealed exactly when it drained", (fun e -> e.Ended.Leaving <> Gate.isSealed e.Ended.Gate) ]

let rules = List.map fst never @ List.map fst neverAtTheEnd

let private first heeded rules x = rules |> List.tryFind (fun (rule, isBroken) -> isBroken x && heeded rule) |> Option.map fst

/// The first of the heeded rules that a world breaks.
let broken heeded w = first heeded never w

/// Lets one actor do what it has to with nobody else about; a walk takes everybody in turn.
let rec private alone s w =
    match act s 0 w with
    | next :: _ -> alone s next
    | [] -> w

/// The first of the heeded rules that is broken by how it ends from here, where all actors are through.
let brokenAtTheEnd s heeded w =
    let run acts w = alone s { w with ToDo = [| acts |] }
    let swept = if w.Leaving then run [ BeginWalk(Sweeping TimeSpan.Zero) ] w else w
    let still c = isInside swept.Peers[c] && not (Connection.isGone swept.Peers[c].Word)
    let ended = swept |> run [ for c in 0 .. w.Peers.Length - 1 do if still c then Read(Ended, c) ]
    broken heeded ended |> Option.orElse (first heeded neverAtTheEnd { Swept = swept; Ended = ended })
