/// A lifetime that ends when nothing was busy for its limit: in generated lives, beside a naive account of the same.
module Graceful.Core.Tests.IdleLifetimeTests

open System
open FsCheck
open FsCheck.FSharp
open Graceful.Core
open Xunit

type Happened = { At: Instant; Event: IdleLifetimeEvent }

let private ms (n: int) = TimeSpan.FromMilliseconds(int64 n)

let private limits = Gen.elements [ ms 1; ms 50; ms 100 ]

let private stories =
    gen {
        let! limit = limits
        let! moves =
            Gen.listOf (
                Gen.zip
                    (Gen.elements [ 0; 0; 1; 49; 50; 51; 99; 100; 101 ])
                    (Gen.frequency
                        [ 5, Gen.constant IdleLifetimeEvent.BecameBusy
                          5, Gen.constant IdleLifetimeEvent.BecameQuiet
                          3, Gen.constant IdleLifetimeEvent.Woke
                          1, Gen.constant IdleLifetimeEvent.ParentCancelled ])
            )
        let times = moves |> List.scan (fun at (wait, _) -> at + wait) 7 |> List.tail
        return limit, [ for at, (_, event) in List.zip times moves -> { At = Instant.Instant 0L + ms at; Event = event } ]
    }

let private start = Instant.Instant 0L + ms 7

let private states limit story =
    story |> List.scan (fun state happened -> IdleLifetime.step limit happened.At happened.Event state) (IdleLifetime.initial limit start)

let private forAll holds =
    let config =
        Config.QuickThrowOnFailure
            .WithQuietOnSuccess(true)
            .WithMaxTest(5000)
            .WithReplay(Some { Rnd = Rnd(2026UL, 0x9E3779B97F4A7C15UL); Size = None })
    Check.One(config, Prop.forAll (Arb.fromGen stories) (fun (limit, story) -> holds limit story))

/// The same, told with a count and the moment since when it is zero.
let private naive limit story =
    let rec tell busy (since: Instant) told story =
        let due = since + limit
        match story with
        | [] -> List.rev told
        | happened :: rest ->
            if busy = 0L && happened.At >= due then
                List.rev told @ List.replicate (1 + List.length rest) (IdleLifetime.Expired due)
            elif happened.Event = IdleLifetimeEvent.ParentCancelled then
                List.rev told @ List.replicate (1 + List.length rest) IdleLifetime.ParentCancelled
            else
                let busyNow =
                    match happened.Event with
                    | IdleLifetimeEvent.BecameBusy -> busy + 1L
                    | IdleLifetimeEvent.BecameQuiet -> max 0L (busy - 1L)
                    | IdleLifetimeEvent.Woke
                    | IdleLifetimeEvent.ParentCancelled -> busy
                let since = if busy > 0L && busyNow = 0L then happened.At else since
                let state = if busyNow > 0L then IdleLifetime.Busy busyNow else IdleLifetime.Quiet(since + limit)
                tell busyNow since (state :: told) rest
    tell 0L start [] story

[<Fact>]
let ``it is what a count and a moment make of the same story`` () =
    forAll (fun limit story -> List.tail (states limit story) = naive limit story)

[<Fact>]
let ``it ends once and for good`` () =
    forAll (fun limit story ->
        states limit story
        |> List.pairwise
        |> List.forall (fun (before, after) -> not (IdleLifetime.isOver before) || after = before))

[<Fact>]
let ``it is over when it expired, and when its parent ended it`` () =
    for state, isOver in
        [ IdleLifetime.Busy 1L, false
          IdleLifetime.Quiet start, false
          IdleLifetime.Expired start, true
          IdleLifetime.ParentCancelled, true ] do
        Assert.Equal(isOver, IdleLifetime.isOver state)

[<Fact>]
let ``it is to be woken exactly while nothing is busy, and is over when it is`` () =
    forAll (fun limit story ->
        states limit story
        |> List.forall (fun state ->
            match state, IdleLifetime.nextDue state with
            | IdleLifetime.Quiet due, ValueSome wake ->
                wake = due
                && IdleLifetime.step limit due IdleLifetimeEvent.Woke state = IdleLifetime.Expired due
                && IdleLifetime.step limit (due + TimeSpan(-1L)) IdleLifetimeEvent.Woke state = state
            | (IdleLifetime.Busy _ | IdleLifetime.Expired _ | IdleLifetime.ParentCancelled), ValueNone -> true
            | _ -> false))

[<Fact>]
let ``nothing that ends twice, and nobody who comes too late, changes anything`` () =
    let quiet = IdleLifetime.initial (ms 10) start
    let step event at state = IdleLifetime.step (ms 10) (start + ms at) event state
    Assert.Equal(quiet, step IdleLifetimeEvent.BecameQuiet 3 quiet)
    let expired = step IdleLifetimeEvent.BecameBusy 10 quiet
    Assert.Equal(IdleLifetime.Expired(start + ms 10), expired)
    for event in [ IdleLifetimeEvent.BecameBusy; IdleLifetimeEvent.BecameQuiet; IdleLifetimeEvent.Woke; IdleLifetimeEvent.ParentCancelled ] do
        Assert.Equal(expired, step event 50 expired)
        let cancelled = step IdleLifetimeEvent.ParentCancelled 2 quiet
        Assert.Equal(IdleLifetime.ParentCancelled, step event 50 cancelled)
