/// How long the drain waits for a request, by what its endpoint says of it.
module Graceful.Core.Tests.RequestTests

open System
open FsCheck
open FsCheck.FSharp
open Graceful.Core
open Xunit

/// What a sweep knows of a request.
type Sight =
    { Policy: DrainPolicy
      QuietPeriod: TimeSpan
      DrainingFor: TimeSpan
      Age: TimeSpan
      AnybodyMust: bool }

let private tick = TimeSpan(1L)

/// Durations that lie close to each other now and then, down to the tick.
let private durations =
    gen {
        let! about = Gen.elements [ 0; 1; 49; 50; 51; 99; 100; 101; 499; 500; 501; 10_000; 60_000 ]
        let! off = Gen.elements [ -1L; 0L; 0L; 1L ]
        return TimeSpan(max 0L (int64 about * TimeSpan.TicksPerMillisecond + off))
    }

let private policies =
    Gen.oneof
        [ Gen.elements [ MustFinish; ToldOnly; AbortAtOnce; NotCounted ]
          durations |> Gen.map (fun limit -> Within(max tick limit)) ]

let private sights =
    gen {
        let! policy = policies
        let! quietPeriod = durations
        let! drainingFor = durations
        let! age = durations
        let! anybodyMust = Gen.elements [ false; true ]
        return
            { Policy = policy
              QuietPeriod = quietPeriod
              DrainingFor = drainingFor
              Age = age
              // Whoever must finish is somebody who must.
              AnybodyMust = anybodyMust || Request.mustFinish drainingFor policy }
    }

let private check (property: Property) =
    let config =
        Config.QuickThrowOnFailure
            .WithQuietOnSuccess(true)
            .WithMaxTest(2000)
            .WithReplay(Some { Rnd = Rnd(2026UL, 0x9E3779B97F4A7C15UL); Size = None })
    Check.One(config, property)

let private judge sight =
    let struct (verdict, wait) =
        Request.judge sight.QuietPeriod sight.DrainingFor sight.Age sight.AnybodyMust sight.Policy
    verdict, wait

let private forAll (holds: Sight -> bool) =
    check (
        Prop.forAll (Arb.fromGen sights) (fun sight ->
            let fine = holds sight
            fine |> Prop.label (if fine then "" else $"{sight}: {judge sight}")))

/// What must be so for a request to be let go, said once more and in other words.
let private isLetGo sight =
    let told least = sight.DrainingFor >= least && sight.Age >= least && not sight.AnybodyMust
    match sight.Policy with
    | MustFinish -> false
    | Within limit -> sight.DrainingFor >= limit
    | ToldOnly -> told sight.QuietPeriod
    | AbortAtOnce -> true
    | NotCounted -> told (TimeSpan.FromMilliseconds 50L)

[<Fact>]
let ``a request is cut off exactly when its endpoint allows it`` () =
    forAll (fun sight -> fst (judge sight) = (if isLetGo sight then CutOff else WaitFor))

[<Fact>]
let ``who must finish is never cut off`` () =
    forAll (fun sight -> not (Request.mustFinish sight.DrainingFor sight.Policy) || fst (judge sight) = WaitFor)

[<Fact>]
let ``nobody who was only told is cut off while anybody must finish`` () =
    forAll (fun sight ->
        match sight.Policy with
        | ToldOnly | NotCounted -> not sight.AnybodyMust || fst (judge sight) = WaitFor
        | MustFinish | Within _ | AbortAtOnce -> true)

[<Fact>]
let ``who must finish, the others' time hangs on`` () =
    forAll (fun sight ->
        let must =
            match sight.Policy with
            | MustFinish -> true
            | Within limit -> sight.DrainingFor < limit
            | ToldOnly | AbortAtOnce | NotCounted -> false
        Request.mustFinish sight.DrainingFor sight.Policy = must)

[<Fact>]
let ``only a probe counts for nothing`` () =
    forAll (fun sight -> Request.isCounted sight.Policy = (sight.Policy <> NotCounted))

[<Fact>]
let ``the next look is in the future, and when anything can have changed`` () =
    forAll (fun sight ->
        match judge sight with
        | WaitFor, wait when sight.Policy = MustFinish -> wait = sight.QuietPeriod
        | WaitFor, wait -> wait > TimeSpan.Zero
        | CutOff, wait -> wait = Connection.closeTime
        | GiveUp, _ -> false)

/// The same request later, when nobody else has come or gone.
let private later wait sight =
    { sight with DrainingFor = sight.DrainingFor + wait; Age = sight.Age + wait }

[<Fact>]
let ``whoever is cut off is cut off at the look that was asked for, and would not have been before`` () =
    forAll (fun sight ->
        match judge sight, sight.Policy with
        | (WaitFor, wait), (Within _ | ToldOnly | NotCounted) ->
            let after span = fst (judge { later span sight with AnybodyMust = false })
            // Who waits for others is looked at again soon, whoever they are.
            let isOthers = sight.AnybodyMust && after TimeSpan.Zero = CutOff
            if isOthers then wait = Connection.sweepInterval
            else after wait = CutOff && after (wait - tick) = WaitFor
        | _ -> true)

[<Fact>]
let ``once its turn has come it stays so`` () =
    forAll (fun sight -> fst (judge sight) <> CutOff || fst (judge (later (TimeSpan.FromSeconds 1.0) sight)) = CutOff)

[<Fact>]
let ``when the last one who must has left, those who were only told leave a sweep later`` () =
    // The drain of a server with one request of each kind, swept when it asks to be: never sooner than the core sweeps.
    let ms (n: int) = TimeSpan.FromMilliseconds(int64 n)
    for mustUntil in [ 0; 10; 499; 500; 501; 777; 30_000 ] do
        let rec sweepUntilCut (now: TimeSpan) =
            let anybodyMust = now < ms mustUntil
            let verdicts =
                [ for policy in [ ToldOnly; NotCounted ] do
                      let struct (verdict, wait) = Request.judge (ms 500) now (now + ms 60_000) anybodyMust policy
                      if verdict = WaitFor then wait ]
            match verdicts with
            | [] -> now
            | waits -> sweepUntilCut (now + max Connection.sweepInterval (List.min waits))
        let cut = sweepUntilCut TimeSpan.Zero
        Assert.InRange(cut, max (ms mustUntil) (ms 500), max (ms mustUntil) (ms 500) + Connection.sweepInterval)

[<Fact>]
let ``whoever was cut off has a tenth of a second to end, and is given up then`` () =
    check (
        Prop.forAll (Arb.fromGen durations) (fun cutOffFor ->
            let tenth = TimeSpan.FromMilliseconds 100L
            let struct (verdict, wait) = Request.judgeCutOff cutOffFor
            (verdict = (if cutOffFor < tenth then WaitFor else GiveUp))
            && wait > TimeSpan.Zero
            && (verdict = GiveUp || cutOffFor + wait = tenth)))

[<Fact>]
let ``a connection with given-up requests ends when all others have left it, it is quiet, and no byte waits`` () =
    let rests =
        gen {
            let! word = Gen.elements ConnectionTests.words
            let! quietPeriod = durations
            let! quietFor = durations
            let! pending = Gen.elements [ false; true ]
            return word, quietPeriod, quietFor, pending
        }
    check (
        Prop.forAll (Arb.fromGen rests) (fun (word, quietPeriod, quietFor, pending) ->
            let floor = max quietPeriod Connection.sweepInterval
            let isOver = Connection.phase word = Closed && Connection.inFlight word = 0 && not pending
            match Request.judgeRest quietPeriod quietFor pending word with
            | struct (GiveUp, wait) -> isOver && quietFor >= floor && wait = Connection.closeTime
            | struct (WaitFor, wait) when isOver -> quietFor < floor && quietFor + wait = floor
            | struct (WaitFor, wait) -> wait = floor
            | struct (CutOff, _) -> false))

[<Fact>]
let ``an answer beside a given-up request is let through, and a request that came late too`` () =
    let after events =
        events |> List.fold (fun word event -> let struct (next, _) = Connection.step event word in next) Connection.initial
    let long = TimeSpan.FromHours 1.0
    let judge word = let struct (verdict, _) = Request.judgeRest (TimeSpan.FromMilliseconds 500L) long false word in verdict
    let givenUp = [ Begin; Begin; Retire; Tell; End ]
    Assert.Equal(WaitFor, judge (after givenUp))
    Assert.Equal(GiveUp, judge (after (givenUp @ [ End ])))
    Assert.Equal(WaitFor, judge (after (givenUp @ [ End; Begin ])))
