/// Which connections keep a server from being idle, over every word that there is.
module Graceful.Core.Tests.UseTests

open System
open Graceful.Core
open Graceful.Core.Tests.ConnectionTests
open Xunit

let private always holds =
    for word in words do
        for hijackedIsBusy in [ false; true ] do
            for counts in [ false; true ] do
                if not (holds hijackedIsBusy counts word) then
                    Assert.Fail
                        $"{Connection.phase word}, {Connection.inFlight word} in flight, hijacked is busy: {hijackedIsBusy}, counts: {counts}"

[<Fact>]
let ``busy is who is new, who has a request in flight that counts, and who is hijacked, if the user says so`` () =
    always (fun hijackedIsBusy counts word ->
        let wanted =
            match Connection.phase word with
            | New -> true
            | Idle -> false
            | Active -> counts
            | Hijacked -> counts && hijackedIsBusy
            | Closed -> counts && Connection.inFlight word > 0
        Use.isBusy hijackedIsBusy counts word = wanted)

[<Fact>]
let ``whoever is busy is being used, but for the new who have asked for nothing yet`` () =
    always (fun hijackedIsBusy counts word ->
        Use.isUse hijackedIsBusy counts word = (Use.isBusy hijackedIsBusy counts word && Connection.phase word <> New))

[<Fact>]
let ``the phase alone says so where every request counts`` () =
    always (fun hijackedIsBusy _ word ->
        match Connection.phase word with
        | Closed -> not (Use.isBusyPhase hijackedIsBusy Closed)
        | phase -> Use.isBusyPhase hijackedIsBusy phase = Use.isBusy hijackedIsBusy true word)

/// The phases that a connection goes through, from new on.
let private lives =
    let rec from length life =
        [ yield life
          if length > 1 && List.head life <> Closed then
              for next in [ Active; Idle; Hijacked; Closed ] do
                  if next <> List.head life then
                      yield! from (length - 1) (next :: life) ]
    from 7 [ New ] |> List.map List.rev

[<Fact>]
let ``the edges of a life add up to whether its last phase is busy, in any order, and its balance is never less than nothing`` () =
    for hijackedIsBusy in [ false; true ] do
        for life in lives do
            // A sum knows no order.
            let balances = life |> List.pairwise |> List.map (fun (before, after) -> Use.edge hijackedIsBusy before after) |> List.scan (+) 0
            for phase, balance in List.zip life balances do
                let wanted = if phase <> New && Use.isBusyPhase hijackedIsBusy phase then 1 else 0
                if balance <> wanted then
                    Assert.Fail $"{life}, hijacked is busy: {hijackedIsBusy}, has {balance} at {phase} and should have {wanted}"

[<Fact>]
let ``a connection on which a request is at work is busy, whichever edges beside its own are heard late`` () =
    // Whoever makes a connection busy has said so before he makes it idle: an edge away from busy is never heard without the one before it.
    let rec heard edges =
        match edges with
        | (_, Active as busy) :: (Active, _ as away) :: rest ->
            [ for others in heard rest do
                  busy :: away :: others
                  busy :: others ]
        | edge :: rest ->
            [ for others in heard rest do
                  edge :: others
                  if not rest.IsEmpty then others ]
        | [] -> [ [] ]
    for life in lives do
        if List.last life = Active && life |> List.forall (fun phase -> phase <> Hijacked) then
            for edges in heard (List.pairwise life) do
                if edges |> List.sumBy (fun (before, after) -> Use.edge true before after) < 1 then
                    Assert.Fail $"{edges} of {life} are idle under a request"

[<Fact>]
let ``with nothing that counts only the new are busy, and what does not count never makes busy`` () =
    always (fun hijackedIsBusy _ word ->
        Use.isBusy hijackedIsBusy false word = (Connection.phase word = New)
        && (Use.isBusy hijackedIsBusy true word || not (Use.isBusy hijackedIsBusy false word)))

[<Fact>]
let ``who is gone keeps nobody`` () =
    always (fun hijackedIsBusy counts word ->
        not (Connection.isGone word && Use.isBusy hijackedIsBusy counts word))

[<Fact>]
let ``no use ends without an event that may end one`` () =
    always (fun hijackedIsBusy counts word ->
        let inUse word = Use.isUse hijackedIsBusy counts word
        events
        |> List.forall (fun event ->
            let struct (next, _) = Connection.step event word
            Use.mayEnd event || not (inUse word) || inUse next))

[<Fact>]
let ``nothing begins with an event that ends uses`` () =
    always (fun _ _ word ->
        events
        |> List.forall (fun event ->
            let struct (next, _) = Connection.step event word
            not (Use.mayEnd event) || Connection.inFlight next <= Connection.inFlight word))

[<Fact>]
let ``a request counts as its endpoint says, and an upgraded stream as the user says`` () =
    for policy in [ MustFinish; Within(TimeSpan.FromSeconds 1.0); ToldOnly; AbortAtOnce; NotCounted ] do
        for hijackedIsBusy in [ false; true ] do
            Assert.Equal(policy <> NotCounted, Use.counts hijackedIsBusy false policy)
            Assert.Equal(policy <> NotCounted && hijackedIsBusy, Use.counts hijackedIsBusy true policy)

[<Fact>]
let ``it is quiet since the last use ended, and never for less than no time`` () =
    let at (ms: int) = Instant(int64 ms * TimeSpan.TicksPerMillisecond)
    for last in [ 0; 1; 70 ] do
        for now in [ 0; 1; 69; 70; 71; 5000 ] do
            Assert.Equal(TimeSpan.FromMilliseconds(int64 (max 0 (now - last))), Use.quietFor (at last) (at now))
