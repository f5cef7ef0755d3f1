/// Walks every interleaving of a few actors, breadth first, so that what breaks a rule is found by its shortest way.
module Graceful.Core.Tests.Interleavings.Explorer

open System
open System.Collections.Generic
open Graceful.Core
open Graceful.Core.Tests.Interleavings.World

/// What was met on the way; a walk that never meets one of them proves nothing about it.
[<Flags>]
type Met =
    | Nothing = 0
    | LetIn = 1
    | LetInRetiring = 2
    | Refused = 4
    | SwapFailed = 8
    | BeganWhileClosing = 16
    | EmptiedByMailbox = 32
    | EmptiedByLeaver = 64
    | Closed = 128
    | Reset = 256

let everything = Enum.GetValues<Met>() |> Array.fold (|||) Met.Nothing

type Walked =
    { States: int
      Steps: int
      Interleavings: UInt128
      Met: Met
      /// The rule, and who did what up to the moment when it was broken.
      Broken: (string * string list) option }

let private met (before: World) actor (after: World) =
    match before.ToDo[actor], after.ToDo[actor] with
    | SwapGate(event, _, _) :: _, SwapGate(event', _, _) :: _ when event = event' -> Met.SwapFailed
    | Swap(event, c, _) :: rest, Swap(event', c', _) :: rest' when event = event' && c = c' && rest = rest' -> Met.SwapFailed
    | SwapGate(Enter, c, _) :: _, next ->
        if after.Peers[c].Refused then Met.Refused
        elif List.tryHead next = Some(Read(Retire, c)) then Met.LetInRetiring
        else Met.LetIn
    | SwapGate(event, _, _) :: _, _ when after.Emptied > before.Emptied ->
        if event = Leave then Met.EmptiedByLeaver else Met.EmptiedByMailbox
    | Swap(event, c, seen) :: _, _ ->
        if event = Begin && Connection.phase seen = Phase.Closed then Met.BeganWhileClosing
        elif after.Peers[c].Closes > before.Peers[c].Closes then Met.Closed
        elif after.Peers[c].Resets > before.Peers[c].Resets then Met.Reset
        else Met.Nothing
    | _ -> Met.Nothing

let private tellGate event = match event with Enter -> "to enter" | Leave -> "to leave" | other -> $"for %A{other}"

/// One step in words.
let private tell (names: string[]) (before: World) actor (after: World) =
    let retries = (match before.ToDo[actor], after.ToDo[actor] with
                   | _ :: rest, next :: rest' -> rest = rest' && (match next with Swap _ | SwapGate _ -> true | _ -> false)
                   | _ -> false)
    match List.head before.ToDo[actor] with
    | Add c -> $"adds {names[c]} to the table"
    | Remove c -> $"removes {names[c]} from the table"
    | ReadGate(event, _) -> $"reads the gate {tellGate event}"
    | SwapGate(event, _, _) when retries -> $"swaps the gate {tellGate event}: it has changed, so once more"
    | SwapGate(Enter, c, _) ->
        let answer =
            if after.Peers[c].Refused then "refused"
            elif List.tryHead after.ToDo[actor] = Some(Read(Retire, c)) then "let in, to be retired"
            else "let in"
        $"swaps the gate to enter: {names[c]} is {answer}"
    | SwapGate(event, c, _) ->
        let who = if c < 0 then "" else $": {names[c]} has left"
        let emptied = if after.Emptied > before.Emptied then ", Emptied" else ""
        $"swaps the gate {tellGate event}{who}{emptied}"
    | LookWhetherEmpty -> "looks whether the gate is empty now" + (if after.Emptied > before.Emptied then ": Emptied" else "")
    | Read(event, c) when before.Peers[c].Word = after.Peers[c].Word && List.length after.ToDo[actor] < List.length before.ToDo[actor] ->
        $"reads the word of {names[c]} for %A{event}: nothing to change"
    | Read(event, c) -> $"reads the word of {names[c]} for %A{event}"
    | Swap(event, c, _) when retries -> $"swaps the word of {names[c]} for %A{event}: it has changed, so once more"
    | Swap(event, c, _) ->
        let word = after.Peers[c].Word
        let retiring = if Connection.isRetiring word then ", retiring" else ""
        $"swaps the word of {names[c]} for %A{event}: %A{Connection.phase word}{retiring}"
    | LookAtHead c -> $"sends the head of {names[c]} " + (if Connection.mustTell before.Peers[c].Word then "with the notice" else "without a notice")
    | Judge(_, c) -> $"looks how quiet {names[c]} is"
    | BeginWalk _ -> "begins to walk the table"
    | WalkOn(_, _, seen) ->
        match after.ToDo[actor] with
        | _ :: WalkOn(_, _, now) :: _ -> $"comes to {names[Int32.TrailingZeroCount(now &&& ~~~seen)]}"
        | _ -> "has walked the table"
    | GoOn -> "goes on: everybody knows"

/// The number of ways from the first world to an end. No world comes again, so each is counted once, after all that follow.
let private interleavings (edges: ResizeArray<int list>) =
    let counted: UInt128[] = Array.zeroCreate edges.Count
    let rec count world =
        if counted[world] = UInt128.Zero then
            counted[world] <-
                match edges[world] with
                | [] -> UInt128.One
                | next -> next |> List.fold (fun sum n -> sum + count n) UInt128.Zero
        counted[world]
    count 0

let explore s heeded (names: string[]) (actors: string[]) first =
    let numbers = Dictionary<World, int>(HashIdentity.Structural)
    let worlds = ResizeArray<World>()
    let origins = ResizeArray<struct (int * int)>()
    let edges = ResizeArray<int list>()
    let add world origin =
        match numbers.TryGetValue world with
        | true, number -> number
        | _ ->
            numbers.Add(world, worlds.Count)
            worlds.Add world
            origins.Add origin
            worlds.Count - 1
    let rec way number lines =
        match origins[number] with
        | struct (-1, _) -> lines
        | struct (before, actor) ->
            way before ($"{actors[actor]}: {tell names worlds[before] actor worlds[number]}" :: lines)
    let mutable wasMet = Met.Nothing
    let mutable wrong = None
    let mutable steps = 0
    add first (struct (-1, 0)) |> ignore
    let mutable at = 0
    while at < worlds.Count && wrong.IsNone do
        let world = worlds[at]
        let next =
            [ for actor in 0 .. actors.Length - 1 do
                  for after in act s actor world do
                      wasMet <- wasMet ||| met world actor after
                      add after (struct (at, actor)) ]
        edges.Add next
        steps <- steps + next.Length
        let rule =
            match broken heeded world with
            | None when next.IsEmpty -> brokenAtTheEnd s heeded world
            | rule -> rule
        rule |> Option.iter (fun rule -> wrong <- Some(rule, way at []))
        at <- at + 1
    { States = worlds.Count
      Steps = steps
      Interleavings = (if wrong.IsNone then interleavings edges else UInt128.Zero)
      Met = wasMet
      Broken = wrong }
