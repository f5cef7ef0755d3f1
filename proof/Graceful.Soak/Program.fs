/// Lives of servers by the million, until a rule breaks or enough has happened.
module Graceful.Soak.Program

open System
open System.Diagnostics
open Graceful.Core.Tests.Simulation
open Graceful.Soak.CommandLine

/// From so many events on, everything that can happen has to.
let private enough = 50_000_000L

let private tell (wish: Wish) (found: BrokenLife) =
    printfn $"BROKEN in life {found.Life}: {found.Reason}"
    let same = if wish.Connections = 500 then "" else $" --connections {wish.Connections}"
    let planted = if wish.Planted = Planted.NoMistake then "" else $" --plant {wish.Planted}"
    printfn $"This life alone: dotnet fsi build.fsx soak --seed {found.Seed} --lives 1{same}{planted}"
    printfn "Looking for the shortest life that breaks the same rule..."
    printfn $"{Shrink.story wish.Connections wish.Planted found}"
    1

let private tally (all: Tally) =
    printfn $"What happened ({all.MostInside} connections inside at once at most):"
    for row in Tally.Kinds |> Array.chunkBySize 3 do
        printfn "  %s" (row |> Array.map (fun kind -> $"{Tally.Words kind, -26}{all[kind], 15:N0}") |> String.concat "   ")

let private soak (wish: Wish) =
    let lives = Lives(wish.Seed, wish.Connections, wish.Planted, wish.Threads)
    printfn
        $"Seed {wish.Seed}: lives of up to {wish.Connections} connections on {wish.Threads} threads, \
until {wish.Events:N0} events have happened."
    let watch = Stopwatch.StartNew()
    let workers = lives.Start(wish.Events, wish.Lives)
    if not (Progress.follow lives wish.Events workers watch) then
        let struct (seed, _) = lives.Longest
        printfn $"STUCK: a step of the life with the seed {seed} does not come back."
        1
    else
        printfn $"{Progress.line lives wish.Events watch.Elapsed}"
        // On a machine that others use too this says more than the pace.
        let busy = Process.GetCurrentProcess().TotalProcessorTime.TotalSeconds
        printfn $"{busy:F1} s of processor time, {float lives.Events / busy / 1e6:F1} million events in each"
        match lives.Broken with
        | ValueSome found -> tell wish found
        | ValueNone ->
            let all = lives.Tally
            tally all
            if all.Events >= enough && all.Missing.Length > 0 then
                let missing = String.Join(", ", all.Missing |> Array.map Tally.Words)
                printfn $"FAILED: in all these lives never: {missing}. A simulation in which it never happens proves nothing about it."
                1
            else
                printfn "No life broke a rule."
                0

[<EntryPoint>]
let main arguments =
    match List.ofArray arguments with
    | [ "--help" | "-h" ] ->
        printfn $"{usage}"
        0
    | given ->
        match parse given with
        | Ok wish -> soak wish
        | Error wrong ->
            eprintfn $"soak: {wrong}\n\n{usage}"
            2
