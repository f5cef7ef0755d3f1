/// A server on its way out, and the ways that may lead back.
module Graceful.Diagrams.LifecyclePictures

open System
open System.Globalization
open Graceful.Core
open Graceful.Diagrams.Arrows
open Graceful.Diagrams.LifecycleWalk

let private start = Instant 0L

let private progress taken =
    match taken.Before with
    | Draining(_, RunningBeforeHooks progress) -> Some(BeforeDrain, progress)
    | Hooks(_, progress) -> Some(AfterDrain, progress)
    | Running _
    | IdleExpired
    | Drilling _
    | Draining _
    | Exited _ -> None

/// The hooks whose end this is: they answer, or their time is over.
let private ended taken =
    match taken.Event, progress taken with
    | HookFinished(index, _), _ -> [ index ]
    | Woke, Some(_, progress) -> [ for run in progress.Running do if start >= run.Due then run.Index ]
    | _ -> []

let private mustNotFail taken =
    taken.Event <> HookFinished(List.tryHead (ended taken) |> Option.defaultValue -1, Succeeded)
    && ended taken |> List.exists (fun i -> taken.Policy.Hooks[i].OnFailure = Force)

/// The hooks of a stage that still run or have not begun, when this has happened.
let private left stage taken =
    match progress taken with
    | Some(its, progress) when its = stage ->
        let cut = mustNotFail taken || (match taken.Event with StopRequested _ | ForceRequested _ -> true | _ -> false)
        let running = [ for run in progress.Running do if not (cut || List.contains run.Index (ended taken)) then run.Index ]
        running, progress.Waiting
    | _ -> [], [ for i in 0 .. taken.Policy.Hooks.Length - 1 do if taken.Policy.Hooks[i].Stage = stage then i ]

let private hooksLeft stage taken = (let running, waiting = left stage taken in not running.IsEmpty || not waiting.IsEmpty)

/// One that waited waits for nobody any more.
let private oneBegins taken =
    match progress taken with
    | Some(stage, _) ->
        let running, waiting = left stage taken
        waiting |> List.exists (fun i ->
            HookGraph.predecessors taken.Policy.Hooks i |> List.forall (fun j -> not (List.contains j running || List.contains j waiting)))
    | None -> false

/// Nobody is warned by a server that has a successor, or that had no client.
let private lameDuckAhead taken =
    let trigger = shutdown taken.Before |> ValueOption.map _.Trigger
    let nobodyToWarn = [ HandedOver; IdledOut; ConnectionEnded ] |> List.map ValueSome
    taken.Policy.LameDuck > TimeSpan.Zero && not (List.contains trigger nobodyToWarn)

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
      { Yes = "the next begins"; No = "none begins"; Holds = oneBegins }
      { Yes = "lame duck"; No = "no lame duck"; Holds = lameDuckAhead }
      { Yes = "quiet for the idle limit"; No = "busy meanwhile"; Holds = isQuiet }
      { Yes = "a sweep is out"; No = "no sweep is out"; Holds = sweepIsOut } ]

let private orderName = Words.caseOf<Effect>
let private stageName = Words.caseOf<Stage>

/// Several of a kind, one after the other, are one in a picture.
let rec private once orders =
    match orders with
    | a :: b :: rest when a = b -> once (b :: rest)
    | a :: rest -> a :: once rest
    | [] -> []

let private seen facts nameOf box hidden steps =
    steps
    |> Seq.map (fun taken ->
        { From = box taken.Before
          Event = nameOf taken
          Facts = facts |> List.map (fun fact -> fact.Holds taken)
          To = box taken.After
          Orders = taken.Effects |> List.map orderName |> List.filter (fun order -> not (List.contains order hidden)) |> once })
    |> Seq.distinct
    |> List.ofSeq

let private wayOutBox state =
    match state with
    | Running(Starting _, _) -> "SuccessorStarting"
    | Running(Absent, _)
    | IdleExpired
    | Drilling _
    | Draining _
    | Hooks _
    | Exited _ -> stageName (Lifecycle.stage state)

let private wayOutName taken = if mustNotFail taken then "ForceRequested" else nameOf taken

let private idleBox state =
    match wayOutBox state with
    | "Running" | "SuccessorStarting" | "IdleExpired" | "Drilling" as key -> key
    | _ -> "Leaving"

let private backBox state =
    match state with
    | Running _
    | IdleExpired -> "Running"
    | Drilling _ -> "Drilling"
    | Draining _
    | Hooks _
    | Exited _ -> if Lifecycle.mayResume state then "MayResume" else "NoReturn"

let private idleEvents =
    set [ "IdleSampled"; "HandOverRequested"; "SuccessorReady"; "SuccessorFailed"
          "Woke: idle look due"; "Woke: successor's time over" ]

let private backEvents = set [ "ResumeRequested"; "DrillRequested"; "Woke: drill over" ]

/// The picture of the way out: all but what leads out of `IdleExpired` or a starting successor, and all but their events.
let private showsWayOut box event =
    box <> "IdleExpired" && box <> "SuccessorStarting" && box <> "Drilling"
    && not (idleEvents.Contains event || backEvents.Contains event)

/// The picture of idle exit and hand-over: everything before the way out, and on it only those events.
let private showsIdle box event =
    box <> "Drilling" && not (backEvents.Contains event) && (box <> "Leaving" || idleEvents.Contains event)

/// The picture of what can be undone: stops, as far as they differ in that, and drills.
let private showsBack box event =
    backEvents.Contains event
    || box = "Drilling"
    || (event = "StopRequested" && box <> "NoReturn")
    || (event = "Woke: lame duck over" && box = "MayResume")

/// Whether a step is to be seen in one of the pictures.
let isShown taken =
    showsWayOut (wayOutBox taken.Before) (nameOf taken)
    || showsIdle (idleBox taken.Before) (nameOf taken)
    || showsBack (backBox taken.Before) (nameOf taken)

let private source () =
    let steps = all.Value.Length.ToString("N0", CultureInfo.InvariantCulture)
    $"Drawn from {steps} steps of Lifecycle.step: every event in every state that whole lives under {policies.Length} policies reach."

let wayOutSketch =
    { Name = "lifecycle-way-out"
      Title = "Lifecycle: the way out"
      Caption =
        [ "An order in a box is given at the end of every arrow that leads there. A hook that is left is still to be run."
          "A hook that fails and must not is a ForceRequested too. Whoever idled out or handed over is no lame duck."
          "Left out: WakeAt, StopHost, CancelHook for whoever runs when its time or stage is over, and the next two pictures." ]
      Size = 880, 1200
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
          Picture.route ("BeforeDrainHooks", (Right, 0.88)) ("ClosingListeners", (Right, 0.3)) 24 (543, 420)
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
          "orders of the first stage on the way out; Idle expired accepts again, unless the listeners close at once." ]
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

let backSketch =
    { Name = "lifecycle-and-back"
      Title = "Lifecycle: what can be undone, and drills"
      Caption =
        [ "What only the application asks for may be undone, as long as before-drain hooks run or the lame duck lasts."
          "Left out: what other pictures show, and wishes that are refused." ]
      Size = 880, 690
      Boxes =
        [ Picture.box "Running" "Running" [ "accepting and serving" ] Alive (480, 110)
          Picture.box "Drilling" "Drilling" [ "unready, still accepting,"; "every client is told" ] Alive (150, 370)
          Picture.box "MayResume" "May resume" [ "before-drain hooks, lame duck:"; "only the application asked" ] Leaving (550, 370)
          Picture.box "NoReturn" "No return" [ "the host is told" ] Final (480, 570) ]
      Fences = []
      Routes =
        [ { Picture.route ("Running", (Left, 0.3)) ("Drilling", (Top, 0.3)) 24 (115, 210) with Before = [ 115, 105 ] }
          Picture.route ("Drilling", (Top, 0.7)) ("Running", (Left, 0.7)) 24 (300, 220)
          Picture.route ("Running", (Bottom, 0.4)) ("MayResume", (Top, 0.35)) 24 (455, 240)
          Picture.route ("MayResume", (Top, 0.8)) ("Running", (Bottom, 0.8)) 24 (620, 255)
          { Picture.route ("Running", (Right, 0.5)) ("NoReturn", (Right, 0.5)) 24 (784, 345) with After = [ 830, 470 ] }
          Picture.route ("Drilling", (Right, 0.5)) ("MayResume", (Left, 0.5)) 24 (335, 370)
          Picture.route ("Drilling", (Bottom, 0.5)) ("NoReturn", (Left, 0.5)) 24 (190, 500)
          Picture.route ("MayResume", (Bottom, 0.5)) ("NoReturn", (Top, 0.5)) 24 (520, 480) ]
      OrdersInBoxes = false }

/// Only the application asks, and what the stop begins with takes its time.
let private mayBeUndone taken =
    match taken.Event with
    | StopRequested trigger ->
        trigger = Requested && (Lifecycle.mayResume taken.Before || hooksLeft BeforeDrain taken || taken.Policy.LameDuck > TimeSpan.Zero)
    | _ -> false

let private backFacts =
    [ { Yes = "may be undone"
        No = "for good"
        Holds = mayBeUndone }
      { Yes = "nothing under way"
        No = "a successor starts, or it looks whether to idle out"
        Holds = fun taken -> (match taken.Before with Running(Absent, _) -> true | _ -> false) } ]

/// What belongs to the first stage of a stop and to the other pictures.
let private otherOrders =
    [ "StartHook"; "CancelHook"; "CloseListeners"; "AbandonSuccessor"; "ResumeAccepting"; "RefuseResume"; "RefuseDrill"; "AbortConnections"
      "RefuseHandOver"; "SampleIdle" ]

let andBack () =
    let isDrill taken = (match taken.Event with DrillRequested _ -> true | _ -> false)
    let steps =
        all.Value
        |> List.map (fun taken ->
            if isDrill taken then taken else { taken with Effects = taken.Effects |> List.filter ((<>) AnnounceLeaving) })
    Picture.draw backSketch backFacts showsBack "Running" (source ()) (seen backFacts nameOf backBox otherOrders steps)

let wayOut () =
    Picture.draw wayOutSketch facts showsWayOut "Running" (source ()) (seen facts wayOutName wayOutBox [ "StopHost"; "CancelHook" ] all.Value)

let idleAndHandOver () =
    let first = [ "StartHook"; "AnnounceLeaving"; "CloseListeners"; "StopHost" ]
    // Whether a stop accepts again says the caption: it hangs on what the other pictures show.
    let steps =
        all.Value
        |> List.map (fun taken ->
            match taken.Event with
            | StopRequested _ -> { taken with Effects = taken.Effects |> List.filter ((<>) ResumeAccepting) }
            | _ -> taken)
    Picture.draw idleSketch facts showsIdle "Running" (source ()) (seen facts nameOf idleBox first steps)
