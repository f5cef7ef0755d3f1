/// What a sweep does with a connection, by how long it was quiet, over every word that there is.
module Graceful.Core.Tests.JudgeTests

open System
open Graceful.Core
open Xunit

let private ms (n: int) = TimeSpan.FromMilliseconds(int64 n)

let private cases =
    [ for word in ConnectionTests.words do
          for period in [ 0; 1; 500 ] do
              for quietFor in [ 0; 1; 499; 500; 501; 60_000 ] do
                  for pending in [ false; true ] do
                      word, ms period, ms quietFor, pending ]

let private judged holds =
    for word, period, quietFor, pending in cases do
        let struct (verdict, wait) = Connection.judge period quietFor pending word
        if not (holds word period quietFor pending verdict wait) then
            let phase, inFlight = Connection.phase word, Connection.inFlight word
            Assert.Fail $"{phase}, {inFlight} in flight, quiet for {quietFor} of {period}: {verdict}, {wait}"

/// Whether the client was told, seen from outside: then the end of what is in flight closes it.
let private isLast word =
    Seq.replicate (Connection.inFlight word) End
    |> Seq.fold (fun word event -> let struct (next, _) = Connection.step event word in next) word
    |> fun word -> Connection.phase word = Closed

[<Fact>]
let ``New and Idle are reaped exactly when they were quiet for the quiet period, and retired before they are judged so`` () =
    judged (fun word period quietFor _ verdict _ ->
        match Connection.phase word with
        | New
        | Idle ->
            verdict = (if quietFor < period then LeaveAlone elif Connection.isRetiring word then ReapNow else RetireFirst)
        | Active
        | Hijacked
        | Closed -> true)

[<Fact>]
let ``whoever was retired first is not asked to be again`` () =
    judged (fun word period quietFor pending verdict _ ->
        let struct (retired, _) = Connection.step Retire word
        let struct (again, _) = Connection.judge period quietFor pending retired
        again <> RetireFirst && (verdict <> RetireFirst || again = ReapNow))

[<Fact>]
let ``an Active one is left to its work, unless there is no quiet period to tell it by`` () =
    judged (fun word period _ _ verdict _ ->
        Connection.phase word <> Active
        || verdict = (if period = TimeSpan.Zero && not (isLast word) then ReapNow else LeaveAlone))

[<Fact>]
let ``a hijacked one is left alone`` () =
    judged (fun word _ _ _ verdict _ -> Connection.phase word <> Hijacked || verdict = LeaveAlone)

/// It was closed while it owed us bytes, and still is here: what closed after its work ends by itself.
let private owes word =
    Connection.phase word = Closed
    && not (Connection.isGone word)
    && Connection.inFlight word = 0
    && not (ConnectionTests.modelOf word).Last

[<Fact>]
let ``a closed one is hastened exactly when it owes us bytes, is quiet, and nothing waits or works`` () =
    judged (fun word period quietFor pending verdict _ ->
        let stuck = owes word && quietFor >= max period Connection.sweepInterval && not pending
        (verdict = Hasten) = stuck)

[<Fact>]
let ``an answer that is still in the pipe is never cut off by haste`` () =
    // The connection closed after its work, and nobody can see that its last answer has not reached the kernel.
    for requests in 1 .. 3 do
        let closed =
            List.replicate requests Begin @ [ Retire; Tell ] @ List.replicate requests End
            |> List.fold (fun word event -> let struct (next, _) = Connection.step event word in next) Connection.initial
        Assert.Equal(Closed, Connection.phase closed)
        for period in [ TimeSpan.Zero; ms 500 ] do
            Assert.Equal(struct (LeaveAlone, period), Connection.judge period (TimeSpan.FromHours 1.0) false closed)

[<Fact>]
let ``the next look is in the future`` () =
    judged (fun word period _ _ verdict wait ->
        match verdict with
        | LeaveAlone -> wait <= max period Connection.sweepInterval && (wait > TimeSpan.Zero || period = TimeSpan.Zero)
        | ReapNow when Connection.phase word <> Active -> wait = Connection.closeTime && wait > TimeSpan.Zero
        | RetireFirst
        | ReapNow
        | Hasten -> wait = Connection.sweepInterval && wait > TimeSpan.Zero)

[<Fact>]
let ``no sweep follows another sooner than in a twentieth of a second, and none comes later than was asked for but for that`` () =
    for asked in [ 0; 1; 49; 50; 51; 500 ] do
        Assert.Equal(ms (max 50 asked), Connection.nextSweepIn (ms asked))

[<Fact>]
let ``whoever is closed as quiet has a tenth of a second to go before anybody looks again`` () =
    let struct (retired, _) = Connection.step Retire Connection.initial
    Assert.Equal(struct (ReapNow, ms 100), Connection.judge (ms 500) (ms 500) false retired)

[<Fact>]
let ``whoever stays quiet until the next look is reaped or hastened then, and not before`` () =
    judged (fun word period quietFor _ verdict wait ->
        let isQuiet quietFor =
            let struct (verdict, _) = Connection.judge period quietFor false word
            verdict <> LeaveAlone
        match Connection.phase word with
        | New
        | Idle when verdict = LeaveAlone -> isQuiet (quietFor + wait) && not (isQuiet (quietFor + wait - TimeSpan(1L)))
        | Closed when owes word && quietFor < max period Connection.sweepInterval ->
            let struct (_, wait) = Connection.judge period quietFor false word
            isQuiet (quietFor + wait) && not (isQuiet (quietFor + wait - TimeSpan(1L)))
        | New
        | Idle
        | Active
        | Hijacked
        | Closed -> true)

[<Fact>]
let ``a request that ends between two looks is found quiet at the one after, not later`` () =
    // An Active one is looked at again after the quiet period at the latest, so its quiet never lasts for two of them.
    judged (fun word period _ _ verdict wait ->
        Connection.phase word <> Active || verdict <> LeaveAlone || wait = period)
