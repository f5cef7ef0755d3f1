namespace Graceful.Core.Tests.Simulation

open System
open System.Diagnostics
open System.Threading

/// The life of that seed breaks a rule.
[<Struct>]
type BrokenLife = { Life: int64; Seed: uint64; Reason: string }

/// Life after life on a few threads, until there were enough events or lives, or one broke a rule.
[<Sealed>]
type Lives(seed: uint64, size: int, planted: Planted, threads: int) =
    let worlds = Array.init threads (fun _ -> World(Choices(), size, planted))
    let reporting = obj ()
    let started: int64[] = Array.zeroCreate threads
    let seeds: uint64[] = Array.zeroCreate threads
    let mutable nextLife = 0L
    let mutable lived = 0L
    let mutable events = 0L
    let mutable broken: BrokenLife voption = ValueNone

    /// Lives are given out in order and none is broken off: whichever thread finds what, the first one is reported.
    let report found =
        lock reporting (fun () ->
            match broken with
            | ValueSome earlier when earlier.Life < found.Life -> ()
            | ValueSome _
            | ValueNone -> broken <- ValueSome found)

    let work thread enoughEvents enoughLives =
        let w: World = worlds[thread]
        let mutable life = 0L
        let mutable goesOn = true
        while goesOn do
            goesOn <- Volatile.Read &events < enoughEvents && broken.IsNone
            if goesOn then life <- Interlocked.Increment &nextLife - 1L
            if goesOn && life < enoughLives then
                let seed = Seed.ofLife seed life
                seeds[thread] <- seed
                Volatile.Write(&started[thread], Stopwatch.GetTimestamp())
                let before = w.Tally.Events
                w.Choices.Draw seed
                Life.broken w |> ValueOption.iter (fun reason -> report { Life = life; Seed = seed; Reason = reason })
                Interlocked.Add(&events, w.Tally.Events - before) |> ignore
                Interlocked.Increment &lived |> ignore
            else
                goesOn <- false
        Volatile.Write(&started[thread], 0L)

    member _.Events = Volatile.Read &events
    member _.Lived = Volatile.Read &lived

    /// The life that has been going on for the longest: its seed, and for how long.
    member _.Longest =
        let elapsed thread =
            let at = Volatile.Read &started[thread]
            if at = 0L then TimeSpan.Zero else Stopwatch.GetElapsedTime at
        let thread = Seq.maxBy elapsed (seq { 0 .. threads - 1 })
        struct (seeds[thread], elapsed thread)

    /// Begins; the threads end when there was enough, or with the first life that broke a rule.
    member _.Start(enoughEvents, enoughLives) =
        let workers =
            [| for thread in 0 .. threads - 1 -> Thread((fun () -> work thread enoughEvents enoughLives), IsBackground = true) |]
        workers |> Array.iter _.Start()
        workers

    member l.Live(enoughEvents, enoughLives) =
        l.Start(enoughEvents, enoughLives) |> Array.iter _.Join()
        l.Broken

    member _.Broken = broken

    /// What happened in all of them; to be read when they are over.
    member _.Tally =
        let sum = Tally()
        for w in worlds do
            sum.Add w.Tally
        sum
