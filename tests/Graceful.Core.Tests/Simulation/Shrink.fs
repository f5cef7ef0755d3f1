/// From a life in which a rule was broken to the shortest one in which it still is.
module Graceful.Core.Tests.Simulation.Shrink

open System
open System.Diagnostics

/// The rule that a list of choices breaks, if it breaks one, and how many turns it took to.
let private broken (w: World) choices =
    w.Choices.Replay choices
    Life.broken w |> ValueOption.map (fun reason -> struct (reason, w.Tick))

let private patience = TimeSpan.FromSeconds 30L

/// Digits do not make another fault of it.
let private kind (reason: string) = reason |> String.filter (Char.IsDigit >> not)

let private without (choices: byte[]) from length =
    Array.append (Array.sub choices 0 from) (Array.skip (min choices.Length (from + length)) choices)

let private noughts (choices: byte[]) from length =
    Array.mapi (fun i choice -> if i >= from && i < from + length then 0uy else choice) choices

/// Every list that is simpler by one change, the boldest changes first.
let private simpler (choices: byte[]) =
    seq {
        let mutable length = choices.Length
        while length > 0 do
            for from in 0..length .. choices.Length - 1 do
                without choices from length
                let plain = noughts choices from length
                if plain <> choices then plain
            length <- length / 2
        for i in 0 .. choices.Length - 1 do
            if choices[i] > 1uy then
                Array.mapi (fun j choice -> if i = j then choice / 2uy else choice) choices
                Array.mapi (fun j choice -> if i = j then choice - 1uy else choice) choices
    }

/// The shortest list of choices found that breaks the same rule, within a limit of attempts and of time.
let shortest (w: World) reason (choices: byte[]) =
    let mutable best = choices
    let size turns (choices: byte[]) = struct (turns, choices.Length, Array.sumBy int choices)
    let mutable least = size Int32.MaxValue choices
    let mutable attempts = 20_000
    let mutable better = true
    let watch = Stopwatch.StartNew()
    while better && attempts > 0 do
        better <- false
        let candidates = (simpler best).GetEnumerator()
        while not better && attempts > 0 && candidates.MoveNext() do
            attempts <- if watch.Elapsed < patience then attempts - 1 else 0
            match broken w candidates.Current with
            | ValueSome(struct (r, turns)) when kind r = kind reason && size turns w.Choices.Made < least ->
                best <- w.Choices.Made
                least <- size turns best
                better <- true
            | ValueSome _
            | ValueNone -> ()
    best

/// Of a story that stays long, its beginning and its end; in between somebody was busy for ever.
let private bound (lines: System.Collections.Generic.List<string>) =
    let first, last = 60, 30
    if lines.Count > first + last then
        let left = lines.Count - first - last
        lines.RemoveRange(first, left)
        lines.Insert(first, $"     ... {left} lines ...")

/// What happens in the life that these choices make, in words.
let tell (w: World) choices =
    w.Tracing <- true
    broken w choices |> ignore
    w.Tracing <- false
    bound w.Lines
    String.Join("\n", w.Lines)

/// A life in a smaller world that breaks the same rule: a fault that hundreds show, a few mostly show too.
let private amongFewer size planted (found: BrokenLife) =
    [ 8, 40_000; 40, 4_000; 150, 500 ]
    |> List.filter (fun (fewer, _) -> fewer < size)
    |> List.tryPick (fun (fewer, attempts) ->
        let w = World(Choices(), fewer, planted)
        seq { 0L .. int64 attempts - 1L }
        |> Seq.tryPick (fun life ->
            w.Choices.Draw(Seed.ofLife found.Seed life)
            match Life.broken w with
            | ValueSome reason when kind reason = kind found.Reason -> Some(struct (w, reason))
            | ValueSome _
            | ValueNone -> None))

/// The shortest life found that breaks the rule that this one breaks, in words.
let story size planted (found: BrokenLife) =
    let struct (w, reason) =
        amongFewer size planted found
        |> Option.defaultWith (fun () ->
            let w = World(Choices(), size, planted)
            w.Choices.Draw found.Seed
            struct (w, Life.broken w |> ValueOption.defaultValue found.Reason))
    tell w (shortest w reason w.Choices.Made)
