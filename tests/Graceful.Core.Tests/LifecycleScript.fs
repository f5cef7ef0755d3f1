/// Generated lives of the Lifecycle: a policy and a list of moves, folded with `step` into a trace in virtual time.
module Graceful.Core.Tests.LifecycleScript

open System
open FsCheck
open FsCheck.FSharp
open Graceful.Core

type Script = { Policy: Policy; Moves: Move list }

let private idleAnswer policy result =
    IdleSampled((if result = Succeeded then 0 else 1), policy.IdleLimit |> ValueOption.defaultValue TimeSpan.Zero)

/// Of several hooks that run, any may be the first.
let private finished (Instant ticks) result progress =
    HookFinished(progress.Running[int (ticks / TimeSpan.TicksPerMillisecond) % progress.Running.Length].Index, result)

let private answer policy now result state =
    match state with
    | Running(Starting _, _) -> if result = Succeeded then SuccessorReady else SuccessorFailed "not ready"
    | Drilling _ when result <> Succeeded -> ResumeRequested
    | Running(Absent, ValueSome _)
    | Drilling _
    | Draining(_, LameDuck _) -> Woke
    | Running(Absent, ValueNone)
    | IdleExpired -> idleAnswer policy result
    | Draining(_, RunningBeforeHooks progress)
    | Hooks(_, progress) -> finished now result progress
    | Draining(_, ClosingListeners ValueNone) when result <> Succeeded -> ConnectionsSwept(ms 10)
    | Draining(_, ClosingListeners _) -> ListenersClosed
    | Draining(_, AwaitingEmptied ValueNone) -> ConnectionsSwept(ms 10)
    | Draining(_, AwaitingEmptied(ValueSome _))
    | Exited _ -> GateEmptied

/// When a move happens and what it is, if it is anything but time going by.
let private play policy now state move =
    let due = Lifecycle.nextDue state |> ValueOption.map (max now)
    match move with
    | Answer result -> now, Some(answer policy now result state)
    | WakeUp -> ValueOption.defaultValue now due, Some Woke
    | WakeEarly ->
        match due with
        | ValueSome due when due > now -> now + TimeSpan((due - now).Ticks / 2L), Some Woke
        | ValueSome _
        | ValueNone -> now, None
    | WakeLate -> ValueOption.defaultValue now due + ms 7, Some Woke
    | Pass milliseconds -> now + ms milliseconds, None
    | Say event -> now, Some event

/// Peers that stay silent and adapters that answer: how a life goes on when the script is over.
let private goOn state =
    match state with
    | Running _
    | IdleExpired
    | Drilling _ -> Say(StopRequested Requested)
    | Draining({ Deadline = ValueNone }, (ClosingListeners _ | AwaitingEmptied(ValueSome _))) -> Answer Succeeded
    | Draining(_, AwaitingEmptied ValueNone) -> Say(ConnectionsSwept(ms 900))
    | Draining _
    | Hooks _
    | Exited _ -> WakeUp

/// The whole life of a script: its moves, and then whatever it takes until the server has exited.
let live (script: Script) =
    let policy = script.Policy
    let rec loop now state moves steps left =
        let ended = (match state with Exited _ -> true | _ -> false)
        match moves with
        | [] when ended || left = 0 -> List.rev steps
        | [] -> apply now state (goOn state) [] steps (left - 1)
        | move :: rest -> apply now state move rest steps left
    and apply now state move rest steps left =
        match play policy now state move with
        | now, None -> loop now state rest steps left
        | now, Some event ->
            let step = run policy now event state
            loop now step.After rest (step :: steps) left
    let start = at 0
    let steps = loop start (Lifecycle.initial policy start) script.Moves [] 3000
    let stopped = steps |> List.tryFind (fun s -> List.contains FireStopping s.Orders)
    { Policy = policy; Moves = script.Moves; Steps = steps; Stopped = (match stopped with Some s -> s.Now | None -> start) }

// ---- Generators --------------------------------------------------------------------------------------------------

let private results = [ Succeeded; Failed "broke"; TimedOut; Cancelled; Skipped ]

let private genEvent =
    let stop = Gen.elements [ Signal 15; Signal 2; Requested; HostStopped; IdledOut; HandedOver; ConnectionEnded; ComponentFailed("queue", "lost"); ComponentFailed("cache", "cold") ]
    Gen.frequency
        [ 4, stop |> Gen.map StopRequested
          2, Gen.elements [ GracePeriodOver; SecondSignal; HostTimedOut; StopNow; HookFailed ] |> Gen.map ForceRequested
          2, Gen.map2 (fun busy n -> IdleSampled(busy, ms n)) (Gen.elements [ 0; 0; 3 ]) (Gen.elements [ 0; 99; 100; 1000 ])
          1, Gen.constant ListenersClosed
          1, Gen.elements [ 0; 10; 50; 400; 5000 ] |> Gen.map (ms >> ConnectionsSwept)
          1, Gen.constant GateEmptied
          2, Gen.map2 (fun index result -> HookFinished(index, result)) (Gen.choose (-1, 7)) (Gen.elements results)
          2, Gen.constant HandOverRequested
          2, Gen.constant ResumeRequested
          2, Gen.elements [ 0; 50; 700 ] |> Gen.map (ms >> DrillRequested)
          1, Gen.elements [ SuccessorReady; SuccessorFailed "gone" ]
          1, Gen.constant Woke ]

let private genMove =
    Gen.frequency
        [ 6, Gen.frequency [ 4, Gen.constant Succeeded; 1, Gen.elements results ] |> Gen.map Answer
          3, Gen.constant WakeUp
          1, Gen.constant WakeEarly
          1, Gen.constant WakeLate
          2, Gen.elements [ 1; 50; 100; 101; 400; 6000 ] |> Gen.map Pass
          1, Gen.constant (Say(StopRequested(Signal 15)))
          1, Gen.elements [ StopRequested Requested; ResumeRequested ] |> Gen.map Say
          3, genEvent |> Gen.map Say ]

let private genHooks =
    gen {
        let! before = Gen.choose (0, 3)
        let! after = Gen.choose (0, 3)
        let! stages = Gen.shuffle [| yield! Seq.replicate before BeforeDrain; yield! Seq.replicate after AfterDrain |]
        let! limits = Gen.elements [ 0; 30; 250; 1000 ] |> Gen.arrayOfLength (before + after)
        let! waits = Gen.choose (0, 127) |> Gen.arrayOfLength (before + after)
        let! chained = Gen.elements [ true; true; false ] |> Gen.arrayOfLength (before + after)
        let! onFailure = Gen.elements [ Continue; Continue; Force ] |> Gen.arrayOfLength (before + after)
        // Bit j of a number says whether hook j is waited for.
        let names i = [ for j in 0 .. i - 1 do if stages[j] = stages[i] && waits[i] >>> j &&& 1 = 1 then $"hook {j}" ]
        return
            Array.init stages.Length (fun i ->
                { Name = $"hook {i}"
                  Stage = stages[i]
                  TimeLimit = ms limits[i]
                  WaitsFor = (if chained[i] then ValueNone else ValueSome(names i))
                  OnFailure = onFailure[i] })
    }

let private genPolicy =
    gen {
        let! hooks = genHooks
        let! lameDuck = Gen.elements [ 0; 300 ]
        let! quiet = Gen.elements [ 0; 500 ]
        let! grace = Gen.elements [ ValueNone; ValueSome 0; ValueSome 400; ValueSome 2000; ValueSome 30_000 ]
        let! doubleKick = Gen.elements [ 0; 100; 5000 ]
        let! idle = Gen.elements [ ValueNone; ValueSome 100; ValueSome 1000 ]
        let! successor = Gen.elements [ 100; 1000 ]
        return
            { LameDuck = ms lameDuck
              QuietPeriod = ms quiet
              GracePeriod = grace |> ValueOption.map ms
              DoubleKick = ms doubleKick
              IdleLimit = idle |> ValueOption.map ms
              SuccessorLimit = ms successor
              Hooks = hooks }
    }

let private shrinkScript (script: Script) =
    seq {
        for i in 0 .. script.Moves.Length - 1 do
            { script with Moves = List.removeAt i script.Moves }
        for i in 0 .. script.Policy.Hooks.Length - 1 do
            { script with Policy = { script.Policy with Hooks = Array.removeAt i script.Policy.Hooks } }
    }

let scripts =
    let gen =
        gen {
            let! policy = genPolicy
            let! length = Gen.choose (0, 25)
            let! moves = Gen.listOfLength length genMove
            return { Policy = policy; Moves = moves }
        }
    Arb.fromGenShrink (gen, shrinkScript)

/// A trace in few words, for whoever reads a failure.
let show trace =
    let line step =
        let (Instant ticks) = step.Now
        $"  %6d{ticks / 10_000L} ms %A{step.Event} -> %A{Lifecycle.stage step.After} %A{step.Orders}"
    trace.Steps |> List.map line |> String.concat "\n"

/// Checks a property of whole traces, over generated scripts.
let forAllWholeLives (holds: Trace -> bool) =
    let config =
        Config.QuickThrowOnFailure
            .WithQuietOnSuccess(true)
            .WithMaxTest(1000)
            .WithReplay(Some { Rnd = Rnd(seed, 0x9E3779B97F4A7C15UL); Size = None })
    let check script =
        let trace = live script
        let fine = holds trace
        fine |> Prop.label (if fine then "" else "\n" + show trace)
    Check.One(config, Prop.forAll scripts check)

/// Checks a property of lives with one way out: what came before a stop that was undone is cut off.
let forAllLives holds = forAllWholeLives (LifecycleTrace.lastChapter >> holds)
