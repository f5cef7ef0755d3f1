/// The gate: who comes and goes, and when all have left.
module Graceful.Diagrams.GatePicture

open Graceful.Core
open Graceful.Diagrams.Arrows

/// A gate, and the last it was told of leaving, if anything.
[<Struct>]
type private Life = { Gate: Gate; Stance: GateEvent voption }

let private mostInside = 3L

let private events = [ Enter; Leave; Announce; Withdraw; Drain; Shut ]

/// Later notices outrank earlier ones, whatever comes after them.
let private rank event =
    match event with
    | Shut -> 3
    | Drain -> 2
    | Announce -> 1
    | Withdraw
    | Enter
    | Leave -> 0

let private step event life =
    let struct (gate, effect) = Gate.step event life.Gate
    let known = life.Stance |> ValueOption.map rank |> ValueOption.defaultValue 0
    let stance =
        if event = Withdraw && life.Stance = ValueSome Announce then ValueNone
        elif rank event > known then ValueSome event
        else life.Stance
    { Gate = gate; Stance = stance },
    (if effect = NoChange then [] else [ effect ])

let private box life =
    let inside = if Gate.inside life.Gate > 0L then "Somebody" else "Nobody"
    if Gate.isSealed life.Gate then "Sealed"
    else
        match life.Stance with
        | ValueSome Announce -> $"Announced{inside}"
        | ValueSome Drain -> $"Draining{inside}"
        | ValueSome Shut -> $"Shut{inside}"
        | ValueSome(Enter | Leave | Withdraw)
        | ValueNone -> $"Open{inside}"

let private eventName = Words.caseOf<GateEvent>
let private orderName = Words.caseOf<GateEffect>

let private facts =
    [ { Yes = "the last one"; No = "others stay"; Holds = fun (s: Walk.Step<Life, GateEvent, GateEffect>) -> Gate.inside s.Before.Gate = 1L } ]

let sketch =
    { Name = "gate"
      Title = "Gate"
      Caption = [ "What changes only how many are inside, and what changes nothing, is left out." ]
      Size = 880, 690
      Boxes =
        [ Picture.box "OpenNobody" "Open" [ "nobody inside" ] Alive (150, 180)
          Picture.box "OpenSomebody" "Open" [ "somebody inside" ] Alive (540, 180)
          Picture.box "AnnouncedNobody" "Announced" [ "nobody inside" ] Leaving (150, 310)
          Picture.box "AnnouncedSomebody" "Announced" [ "somebody inside" ] Leaving (540, 310)
          Picture.box "DrainingSomebody" "Draining" [ "somebody inside" ] Leaving (540, 440)
          Picture.box "ShutSomebody" "Shut" [ "somebody inside" ] Leaving (540, 580)
          Picture.box "Sealed" "Sealed" [ "shut and empty for ever" ] Final (150, 510) ]
      Fences =
        [ Picture.fence "Empty" "empty" (24, 34, 24, 20) [ "OpenNobody"; "AnnouncedNobody" ]
          Picture.fence "Entered" "not shut yet" (40, 76, 200, 24) [ "OpenSomebody"; "AnnouncedSomebody"; "DrainingSomebody" ]
          Picture.fence "Listening" "listening" (20, 36, 178, 20) [ "OpenSomebody"; "AnnouncedSomebody" ] ]
      Routes =
        [ Picture.route ("OpenNobody", (Right, 0.3)) ("OpenSomebody", (Left, 0.3)) 20 (330, 157)
          Picture.route ("OpenSomebody", (Left, 0.7)) ("OpenNobody", (Right, 0.7)) 24 (330, 200)
          Picture.route ("AnnouncedNobody", (Right, 0.3)) ("AnnouncedSomebody", (Left, 0.3)) 24 (330, 287)
          Picture.route ("AnnouncedSomebody", (Left, 0.7)) ("AnnouncedNobody", (Right, 0.7)) 24 (330, 330)
          Picture.route ("OpenNobody", (Bottom, 0.25)) ("AnnouncedNobody", (Top, 0.25)) 16 (90, 245)
          Picture.route ("AnnouncedNobody", (Top, 0.75)) ("OpenNobody", (Bottom, 0.75)) 16 (205, 245)
          Picture.route ("OpenSomebody", (Bottom, 0.25)) ("AnnouncedSomebody", (Top, 0.25)) 16 (480, 245)
          Picture.route ("AnnouncedSomebody", (Top, 0.75)) ("OpenSomebody", (Bottom, 0.75)) 16 (595, 245)
          Picture.route ("DrainingSomebody", (Left, 0.5)) ("Sealed", (Right, 0.3)) 24 (335, 450)
          Picture.route ("ShutSomebody", (Left, 0.5)) ("Sealed", (Right, 0.7)) 24 (335, 570)
          Picture.route ("Sealed", (Bottom, 0.3)) ("Sealed", (Bottom, 0.7)) 24 (150, 580)
          Picture.route ("Listening", (Bottom, 0.263)) ("DrainingSomebody", (Top, 0.5)) 24 (540, 384)
          Picture.route ("Entered", (Bottom, 0.286)) ("ShutSomebody", (Top, 0.5)) 24 (540, 520) ]
      OrdersInBoxes = false }

let gate () =
    let born = { Gate = Gate.initial; Stance = ValueNone }
    let steps = Walk.steps step (fun _ -> events) (fun life -> Gate.inside life.Gate <= mostInside) born
    let words = steps |> List.map _.Before.Gate |> List.distinct |> List.length
    let source =
        $"Drawn from all steps of Gate.step: {words} states with up to {mostInside} inside, {events.Length} events."
    Picture.draw sketch facts (fun _ _ -> true) (box born) source
        [ for s in steps ->
              { From = box s.Before
                Event = eventName s.Event
                Facts = facts |> List.map (fun fact -> fact.Holds s)
                To = box s.After
                Orders = s.Effects |> List.map orderName } ]
