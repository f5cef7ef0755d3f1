/// Every interleaving of two and of three actors around the cells and the table.
module Graceful.Core.Tests.InterleavingTests

open System
open System.Diagnostics
open System.Threading.Tasks
open Graceful.Core.Tests.Interleavings
open Graceful.Core.Tests.Interleavings.World
open Xunit

let private walk observed mistake heeded cast =
    let s = Cast.setting observed mistake
    Explorer.explore s heeded Cast.names [| for actor in cast -> Cast.nameOf actor |] (Cast.first s cast)

let private describe cast (rule, lines) =
    let who = cast |> List.map Cast.nameOf |> String.concat ", "
    let way = lines |> List.map (fun line -> $"  {line}") |> String.concat "\n"
    $"{rule} ({who}):\n{way}"

/// Walks all casts on two threads, prints what was walked, and fails with the first way that breaks a rule.
let private prove what observed casts leastStates =
    let watch = Stopwatch.StartNew()
    let walked = Array.ofList casts |> Array.map (fun cast -> cast, None)
    Parallel.For(0, walked.Length, ParallelOptions(MaxDegreeOfParallelism = 2), fun i ->
        let cast, _ = walked[i]
        walked[i] <- cast, Some(walk observed Unspoilt (fun _ -> true) cast))
    |> ignore
    let found = walked |> Array.map (fun (cast, walked) -> cast, walked.Value)
    for cast, walked in found do
        match walked.Broken with
        | Some wrong -> Assert.Fail(describe cast wrong)
        | None -> ()
    let states = found |> Array.sumBy (fun (_, w) -> int64 w.States)
    let steps = found |> Array.sumBy (fun (_, w) -> int64 w.Steps)
    let ways = found |> Array.fold (fun sum (_, w) -> sum + w.Interleavings) UInt128.Zero
    printfn
        $"Interleavings of {what}: {casts.Length} casts, %d{states} states, %d{steps} steps, {float ways:E2} interleavings, \
{watch.Elapsed.TotalSeconds:F1} s"
    Assert.True(states >= leastStates, $"only {states} states were walked, and there must be at least {leastStates}")
    let met = found |> Array.fold (fun met (_, w) -> met ||| w.Met) Explorer.Met.Nothing
    Assert.Equal(Explorer.everything, met)

[<Fact>]
let ``two actors break no rule, however their steps interleave`` () =
    prove "two" false (Cast.casts 2) 10_000L

[<Fact>]
let ``two observed actors break no rule either`` () =
    prove "two, observed" true (Cast.casts 2) 10_000L

[<Fact>]
let ``three actors break no rule, however their steps interleave`` () =
    prove "three" false (Cast.casts 3) 1_000_000L


/// The shortest way in which a mistake breaks a rule, among all pairs of actors.
let private shortest mistake rule =
    [ for cast in Cast.casts 2 do
          match (walk false mistake ((=) rule) cast).Broken with
          | Some(_, way) -> cast, way
          | None -> () ]
    |> List.sortBy (fun (_, way) -> way.Length)
    |> List.tryHead

/// What each mistake does to whom; some do more.
let private harms =
    [ GateByPlainStore, "the gate lost count"
      GateByPlainStore, "Emptied came while somebody was inside"
      GateByPlainStore, "all had left and Emptied never came"
      GateByPlainStore, "the gate was not sealed exactly when it drained"
      WordByPlainStore, "a Close cut a request in flight"
      WordByPlainStore, "a connection was closed twice"
      WordByPlainStore, "a connection was reset twice"
      SwapNotTriedAgain, "somebody inside missed the notice"
      SwapNotTriedAgain, "somebody quiet was not closed"
      WalkBeforeGate, "somebody inside missed the notice"
      EnterBeforeRegister, "somebody inside missed the notice"
      EnterBeforeRegister, "the table was not empty in the end"
      RetireForgotten, "somebody inside missed the notice"
      LeaveBeforeRemove, "Emptied came while somebody was in the table"
      LeaveTwice, "a connection left the gate twice"
      LeaveForgotten, "somebody never left the gate"
      RefusedOneStays, "the table was not empty in the end"
      RefusedOneLeaves, "a connection left that was never let in"
      RefusalIgnored, "somebody got in after Shut"
      EmptyByALook, "Emptied came twice"
      CloseByALook, "a Close cut a request in flight" ]

/// Into the results, and onto the screen with -showLiveOutput: two hundred lines are too many for every run.
let private write (text: string) = TestContext.Current.TestOutputHelper |> Option.ofObj |> Option.iter _.WriteLine(text)

[<Fact>]
let ``every mistake is found, by the harm that it does`` () =
    for mistake, rule in harms do
        match shortest mistake rule with
        | Some(cast, way) -> write $"%A{mistake}: {describe cast (rule, way)}\n"
        | None -> Assert.Fail $"%A{mistake} was planted and nobody found that {rule}"

[<Fact>]
let ``every rule finds a mistake`` () =
    Assert.Equal<string list>(List.sort rules, harms |> List.map snd |> List.distinct |> List.sort)

[<Fact>]
let ``who missed the notice is told step by step`` () =
    match shortest WalkBeforeGate "somebody inside missed the notice" with
    | None -> Assert.Fail "nobody missed it"
    | Some(cast, way) ->
        Assert.Equal<Cast.Actor list>([ Cast.Acceptor 2; Cast.Announcer ], cast)
        Assert.Equal<string list>(
            [ "announcer: begins to walk the table"
              "acceptor of x: adds x to the table"
              "acceptor of x: reads the gate to enter"
              "acceptor of x: swaps the gate to enter: x is let in"
              "announcer: has walked the table"
              "announcer: reads the gate for Announce"
              "announcer: swaps the gate for Announce"
              "announcer: goes on: everybody knows" ],
            way
        )

[<Fact>]
let ``all ways are counted`` () =
    let s = Cast.setting false Unspoilt
    let start = Cast.first s []
    let tables = { start with ToDo = [| [ Add 0; Remove 0 ]; [ Add 1; Remove 1 ]; [ Add 2; Remove 2 ] |] }
    let walked = Explorer.explore s (fun _ -> true) Cast.names [| "one"; "two"; "three" |] tables
    // Nobody disturbs anybody: 6! / (2! 2! 2!) ways through 3 * 3 * 3 states.
    Assert.Equal(UInt128(0UL, 90UL), walked.Interleavings)
    Assert.Equal(27, walked.States)
