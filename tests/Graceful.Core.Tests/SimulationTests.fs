/// Whole lives in virtual time: the three machines, adapters that take turns, and clients of every temper.
module Graceful.Core.Tests.SimulationTests

open System
open System.Diagnostics
open Graceful.Core.Tests
open Graceful.Core.Tests.Simulation
open Xunit

/// In small lives most races happen soon, and their stories are short; in large ones hundreds act at once.
let private small, private large = 8, 500

let private smallLives =
    match Environment.GetEnvironmentVariable "GRACEFUL_LIVES" with
    | null
    | "" -> 120_000L
    | text -> Int64.Parse text

let private describe size planted (found: BrokenLife) =
    $"{found.Reason}\nGRACEFUL_SEED={found.Seed} GRACEFUL_LIVES=1, among at most {size} connections; \
the shortest that breaks the same rule:\n{Shrink.story size planted found}"

let private noneBreaksARule size events lives =
    let watch = Stopwatch.StartNew()
    let all = Lives(seed, size, Planted.NoMistake, 2)
    all.Live(events, lives) |> ValueOption.iter (fun found -> Assert.Fail(describe size Planted.NoMistake found))
    let tally = all.Tally
    let counts = String.Join("; ", Tally.Kinds |> Array.map (fun kind -> $"{Tally.Words kind} {tally[kind]}"))
    printfn
        $"Simulation: seed {seed}, at most {size} connections, {all.Lived} lives, {all.Events} events, \
{watch.Elapsed.TotalSeconds:F1} s: {counts}"
    tally

[<Fact>]
let ``no small life breaks a rule`` () =
    let tally = noneBreaksARule small Int64.MaxValue smallLives
    // A simulation in which something never happens proves nothing about it; a few lives are only for a quick look.
    for kind in Tally.Kinds do
        Assert.True(smallLives < 10_000L || tally[kind] > smallLives / 2000L, $"in {smallLives} lives hardly ever: {Tally.Words kind}")

[<Fact>]
let ``no life of hundreds of connections breaks a rule`` () =
    let tally = noneBreaksARule large 2_000_000L (if smallLives = 1L then 1L else Int64.MaxValue)
    Assert.True(smallLives = 1L || tally.Events >= 1_000_000L)

let mistakes () =
    TheoryData<Planted>(Enum.GetValues<Planted>() |> Seq.filter ((<>) Planted.NoMistake))

[<Theory>]
[<MemberData(nameof mistakes)>]
let ``an adapter that makes a mistake is found out, in a short story`` (planted: Planted) =
    for size in [ small; large ] do
        match Lives(seed, size, planted, 1).Live(Int64.MaxValue, 20_000L) with
        | ValueNone -> Assert.Fail $"nobody noticed {planted} among {size} connections"
        | ValueSome found ->
            let story = describe size planted found
            Assert.DoesNotContain(" lines ...", story)
