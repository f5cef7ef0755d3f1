/// A server on its way out, and the two ways that may lead back: idle exit and hand-over.
module Graceful.Diagrams.LifecyclePictures

open System
open System.Globalization
open Graceful.Core
open Graceful.Diagrams.Arrows
open Graceful.Diagrams.LifecycleWalk

let private start = Instant 0L

/// The hooks of a stage that have not begun.
let private hooksLeft stage taken =
    let from =
        match taken.Before with
        | Draining(_, RunningBeforeHooks run)
        | Hooks(_, run) -> run.Index + 1
        | Running _
        | IdleExpired
        | Draining _
        | Exited _ -> 0
    taken.Policy.Hooks |> Seq.skip from |> Seq.exists (fun hook -> hook.Stage = stage)

/// Nobody is warned by a server that has a successor, or that had no client.
let private lameDuckAhead taken =
    let trigger = shutdown taken.Before |> ValueOption.map _.Trigger
    taken.Policy.LameDuck > TimeSpan.Zero && trigger <> ValueSome HandedOver && trigger <> ValueSome IdledOut

let private isKick taken =
    match taken.Event, shutdown taken.Before |> ValueOption.bind _.LastKick with
    | StopRequested(Signal _), ValueSome last -> start - last <= taken.Policy.DoubleKick && taken.Policy.DoubleKick > TimeSpan.Zero
    | _ -> false

let private isQuiet taken =
    match taken.Event with
    | IdleSampled(busy, quietFor) -> busy = 0 && quietFor >= ValueOption.defaultValue TimeSpan.MaxValue taken.Policy.IdleLimit
    | _ -> false

let private sweepIsOut taken =
    match taken.Before with
    | Draining(_, (ClosingListeners ValueNone | AwaitingEmptied ValueNone)) -> true
    | _ -> false

let private facts =
    [ { Yes = "2nd signal in time"; No = "no 2nd signal in time"; Holds = isKick }
      { Yes = "before-hook left"; No = "no before-hook left"; Holds = hooksLeft BeforeDrain }
      { Yes = "after-hook left"; No = "no after-hook left"; Holds = hooksLeft AfterDrain }
      { Yes = "lame duck"; No = "no lame duck"; Holds = lameDuckAhead }
      { Yes = "quiet for the idle limit"; No = "busy meanwhile"; Holds = isQuiet }
      { Yes = "a sweep is out"; No = "no sweep is out"; Holds = sweepIsOut } ]

let private orderName = Words.caseOf<Effect>
let private stageName = Words.caseOf<Stage>

let private seen box hidden steps =
    steps
    |> Seq.map (fun taken ->
        { From = box taken.Before
          Event = nameOf taken
          Facts = facts |> List.map (fun fact -> fact.Holds taken)
          To = box taken.After
          Orders = taken.Effects |> List.map orderName |> List.filter (fun order -> not (List.contains order hidden)) })
    |> Seq.distinct
    |> List.ofSeq

let private wayOutBox state =
    match state with
    | Running(Starting _, _) -> "SuccessorStarting"
    | Running(Absent, _)
    | IdleExpired
    | Draining _
    | Hooks _
    | Exited _ -> stageName (Lifecycle.stage state)

let private idleBox state =
    match wayOutBox state with
    | "Running" | "SuccessorStarting" | "IdleExpired" as key -> key
    | _ -> "Leaving"

let private idleEvents =
    set [ "IdleSampled"; "HandOverRequested"; "SuccessorReady"; "SuccessorFailed"
          "Woke: idle look due"; "Woke: successor's time over" ]

/// The picture of the way out: all but what leads out of `IdleExpired` or a starting successor, and all but their events.
let private showsWayOut box event = box <> "IdleExpired" && box <> "SuccessorStarting" && not (idleEvents.Contains event)

/// The picture of idle exit and hand-over: everything before the way out, and on it only those events.
let private showsIdle box event = box <> "Leaving" || idleEvents.Contains event

/// Whether a step is to be seen in one of the pictures.
let isShown taken =
    showsWayOut (wayOutBox taken.Before) (nameOf taken) || showsIdle (idleBox taken.Before) (nameOf taken)

let private source () =
    let steps = all.Value.Length.ToString("N0", CultureInfo.InvariantCulture)
    $"Drawn from {steps} steps of Lifecycle.step: every event in every state that whole lives under {policies.Length} policies reach."

let wayOutSketch =
    { Name = "lifecycle-way-out"
      Title = "Lifecycle: the way out"
      Caption =
        [ "An order in a box is given at the end of every arrow that leads there. A hook that is left is still to be run."
          "Left out: WakeAt, what changes nothing, and the next picture. Whoever idled out or handed over is no lame duck." ]
      Size = 880, 1180
      Boxes =
        [ Picture.box "Running" "Running" [] Alive (340, 90)
          Picture.box "BeforeDrainHooks" "Before-drain hooks" [] Leaving (340, 250)
          Picture.box "LameDuck" "Lame duck" [ "unready, still accepting" ] Leaving (340, 420)
          Picture.box "ClosingListeners" "Closing listeners" [] Leaving (340, 530)
          Picture.box "Draining" "Draining" [ "work in flight finishes" ] Leaving (340, 710)
          Picture.box "AfterDrainHooks" "After-drain hooks" [] Leaving (340, 860)
          Picture.box "Exited" "Exited" [ "the code tells how it went" ] Final (340, 1050) ]
      Fences =
        [ Picture.fence "Force" "within the grace period" (26, 40, 195, 20)
              [ "BeforeDrainHooks"; "LameDuck"; "ClosingListeners"; "Draining" ] ]
      Routes =
        [ Picture.route ("Running", (Bottom, 0.5)) ("BeforeDrainHooks", (Top, 0.5)) 30 (340, 150)
          { Picture.route ("Running", (Left, 0.65)) ("LameDuck", (Left, 0.4)) 22 (130, 310) with Before = [ 205, 185 ] }
          { Picture.route ("Running", (Left, 0.3)) ("ClosingListeners", (Left, 0.5)) 22 (98, 160) with After = [ 18, 380 ] }
          Picture.route ("BeforeDrainHooks", (Right, 0.15)) ("BeforeDrainHooks", (Right, 0.5)) 28 (553, 227)
          Picture.route ("BeforeDrainHooks", (Right, 0.88)) ("ClosingListeners", (Right, 0.3)) 24 (550, 420)
          Picture.route ("ClosingListeners", (Right, 0.5)) ("ClosingListeners", (Right, 0.9)) 24 (560, 545)
          Picture.route ("Draining", (Right, 0.25)) ("Draining", (Right, 0.75)) 24 (550, 710)
          Picture.route ("Draining", (Left, 0.5)) ("Exited", (Left, 0.3)) 22 (110, 860)
          Picture.route ("AfterDrainHooks", (Right, 0.4)) ("AfterDrainHooks", (Right, 0.8)) 26 (555, 912)
          { Picture.route ("Force", (Right, 0.35)) ("Exited", (Right, 0.2)) 26 (752, 420) with After = [ 850, 640; 850, 880; 760, 970 ] }
          Picture.route ("Force", (Right, 0.9)) ("AfterDrainHooks", (Right, 0.15)) 26 (745, 760)
          Picture.route ("Exited", (Right, 0.55)) ("Exited", (Right, 0.9)) 36 (640, 1076) ]
      OrdersInBoxes = true }

let idleSketch =
    { Name = "lifecycle-idle-and-hand-over"
      Title = "Lifecycle: idle exit and hand-over"
      Caption =
        [ "Left out: WakeAt, what changes nothing, and what the other picture shows: StopRequested ends here with the"
          "orders of the first stage on the way out." ]
      Size = 880, 810
      Boxes =
        [ Picture.box "Running" "Running" [ "accepting and serving" ] Alive (440, 110)
          Picture.box "SuccessorStarting" "Successor starting" [ "work goes on as before" ] Alive (720, 630)
          Picture.box "IdleExpired" "Idle expired" [ "accepting is paused,"; "a second look is out" ] Alive (150, 630)
          Picture.box "Leaving" "On the way out" [ "the other picture" ] Final (440, 310) ]
      Fences = []
      Routes =
        [ { Picture.route ("Running", (Left, 0.5)) ("IdleExpired", (Left, 0.4)) 28 (130, 200) with After = [ 30, 420 ] }
          Picture.route ("IdleExpired", (Top, 0.5)) ("Running", (Bottom, 0.1)) 20 (190, 380)
          Picture.route ("IdleExpired", (Right, 0.2)) ("Leaving", (Bottom, 0.3)) 28 (335, 490)
          Picture.route ("SuccessorStarting", (Left, 0.2)) ("Leaving", (Bottom, 0.7)) 20 (550, 490)
          { Picture.route ("SuccessorStarting", (Top, 0.5)) ("Running", (Bottom, 0.9)) 28 (735, 400) with After = [ 685, 280 ] }
          { Picture.route ("Running", (Right, 0.5)) ("SuccessorStarting", (Right, 0.5)) 28 (760, 200) with After = [ 850, 420 ] }
          Picture.route ("IdleExpired", (Right, 0.7)) ("SuccessorStarting", (Left, 0.7)) 34 (440, 650)
          Picture.route ("SuccessorStarting", (Bottom, 0.3)) ("SuccessorStarting", (Bottom, 0.7)) 36 (720, 720)
          Picture.route ("Running", (Right, 0.25)) ("Running", (Top, 0.8)) 30 (620, 84)
          Picture.route ("Leaving", (Right, 0.3)) ("Leaving", (Right, 0.7)) 20 (600, 310) ]
      OrdersInBoxes = false }

let wayOut () =
    Picture.draw wayOutSketch facts showsWayOut "Running" (source ()) (seen wayOutBox [] all.Value)

let idleAndHandOver () =
    let first = [ "StartHook"; "AnnounceLeaving"; "CloseListeners" ]
    Picture.draw idleSketch facts showsIdle "Running" (source ()) (seen idleBox first all.Value)
