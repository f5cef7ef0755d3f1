/// A connection in normal life and on the way out.
module Graceful.Diagrams.ConnectionPictures

open System.Collections.Generic
open Graceful.Core
open Graceful.Diagrams.Arrows
open Graceful.Diagrams.Walk

/// A connection, and whether it was reset, as far as its orders tell.
[<Struct>]
type Life = { Word: Connection; WasReset: bool }

let private born = { Word = Connection.initial; WasReset = false }

/// More behave like the last of them: only the last request in flight ever decides.
let private mostInFlight = 3

let private normal = [ Begin; End; MarkInUse; MarkIdle; Hijack; Disown; Ended ]
let private all = [ Begin; End; Tell; MarkInUse; MarkIdle; Hijack; Retire; Reap; Shed; Abort; Disown; Ended ]

let private step event life =
    let struct (word, effect) = Connection.step event life.Word
    { Word = word; WasReset = life.WasReset || effect = Reset },
    (if effect = Nothing then [] else [ effect ])

let private walk events =
    Walk.steps step (fun _ -> events) (fun life -> Connection.inFlight life.Word <= mostInFlight) born

/// Whether the end of what is in flight is the end of the connection: it was told, and nothing more is expected.
let private isLast connection =
    let rec finish c = if Connection.inFlight c = 0 then Connection.phase c else finish (let struct (next, _) = Connection.step End c in next)
    finish connection = Closed

let private box life =
    let c = life.Word
    let retiring = Connection.isRetiring c
    match Connection.phase c with
    | Closed -> if Connection.isGone c then "Gone" else "Closing"
    | Hijacked -> if retiring then "RetiringHijacked" else "Hijacked"
    | Active -> if isLast c then "Told" elif retiring then "RetiringActive" else "Active"
    | New -> if retiring then "RetiringUnused" else "New"
    | Idle -> if retiring then "RetiringUnused" else "Idle"

let private eventName = Words.caseOf<ConnectionEvent>
let private orderName = Words.caseOf<ConnectionEffect>

let private facts =
    [ { Yes = "last in flight"; No = "more in flight"; Holds = fun s -> Connection.inFlight s.Before.Word <= 1 }
      { Yes = "was reset"; No = "not reset yet"; Holds = fun s -> s.Before.WasReset } ]

let private seen box steps =
    [ for s in steps ->
          { From = box s.Before
            Event = eventName s.Event
            Facts = facts |> List.map (fun fact -> fact.Holds s)
            To = box s.After
            Orders = s.Effects |> List.map orderName } ]

let private source events (steps: Step<Life, ConnectionEvent, ConnectionEffect> list) =
    let words = steps |> List.map _.Before.Word |> List.distinct |> List.length
    let events = List.length events
    $"Drawn from all %d{steps.Length} steps of Connection.step: {words} states with up to {mostInFlight} requests in flight, {events} events."

let lifeSketch =
    { Name = "connection-life"
      Title = "Connection: normal life"
      Caption =
        [ "MarkInUse and MarkIdle say of a raw socket what Begin and End say of requests, as a level and not as a count."
          "What changes only the count in flight, and what changes nothing, is left out." ]
      Size = 880, 400
      Boxes =
        [ Picture.box "New" "New" [ "no request yet" ] Alive (100, 140)
          Picture.box "Active" "Active" [ "requests are in flight" ] Alive (420, 140)
          Picture.box "Idle" "Idle" [ "served, nothing in flight" ] Alive (420, 280)
          Picture.box "Hijacked" "Hijacked" [ "upgraded: speaks"; "its own protocol" ] Alive (795, 140)
          Picture.box "Gone" "Gone" [ "ended, or disowned" ] Final (775, 280) ]
      Fences = [ Picture.fence "Serving" "carries requests" (24, 46, 40, 20) [ "New"; "Active"; "Idle" ] ]
      Routes =
        [ Picture.route ("Active", (Bottom, 0.25)) ("Idle", (Top, 0.25)) 20 (352, 210)
          Picture.route ("Idle", (Top, 0.8)) ("Active", (Bottom, 0.8)) 14 (494, 210)
          Picture.route ("Hijacked", (Bottom, 0.5)) ("Gone", (Top, 0.604)) 20 (795, 214)
          Picture.route ("Serving", (Right, 0.29)) ("Hijacked", (Left, 0.5)) 20 (640, 140)
          Picture.route ("Serving", (Right, 0.82)) ("Gone", (Left, 0.5)) 14 (622, 280) ]
      OrdersInBoxes = false }

let wayOutSketch =
    { Name = "connection-way-out"
      Title = "Connection: on the way out"
      Caption =
        [ "What changes only the count in flight, and what changes nothing, is left out; so is what the first picture shows,"
          "but for Ended and Disown. Last work: the client was told, or will see it by the close that follows." ]
      Size = 880, 890
      Boxes =
        [ Picture.box "Hijacked" "Hijacked" [ "upgraded" ] Alive (120, 140)
          Picture.box "RetiringHijacked" "Hijacked, asked" [ "in its own protocol" ] Leaving (440, 140)
          Picture.box "Active" "Active" [ "requests are in flight" ] Alive (120, 400)
          Picture.box "RetiringActive" "Active, retiring" [ "its client is not told yet" ] Leaving (440, 400)
          Picture.box "Told" "Active, last work" [ "told, or closed after it" ] Leaving (750, 400)
          Picture.box "Unused" "New or Idle" [ "nothing in flight" ] Alive (120, 560)
          Picture.box "RetiringUnused" "New or Idle, retiring" [ "its next response tells" ] Leaving (440, 560)
          Picture.box "Closing" "Closing" [ "we closed or reset it" ] Leaving (440, 760)
          Picture.box "Gone" "Gone" [ "ended, or disowned" ] Final (745, 760) ]
      Fences =
        [ Picture.fence "Open" "not closed yet" (16, 44, 20, 40)
              [ "Hijacked"; "RetiringHijacked"; "Active"; "RetiringActive"; "Told"; "Unused"; "RetiringUnused" ]
          Picture.fence "Retiring" "retiring" (28, 160, 14, 16) [ "RetiringActive"; "Told"; "RetiringUnused" ] ]
      Routes =
        [ Picture.route ("Retiring", (Top, 0.239)) ("RetiringHijacked", (Bottom, 0.5)) 20 (440, 190)
          Picture.route ("Active", (Top, 0.6)) ("Told", (Top, 0.5)) 18 (440, 265)
          Picture.route ("RetiringActive", (Top, 0.2)) ("RetiringActive", (Top, 0.8)) 14 (440, 335)
          Picture.route ("Active", (Right, 0.5)) ("RetiringActive", (Left, 0.5)) 14 (268, 400)
          Picture.route ("RetiringUnused", (Top, 0.2)) ("RetiringActive", (Bottom, 0.2)) 14 (362, 480)
          Picture.route ("RetiringActive", (Bottom, 0.75)) ("RetiringUnused", (Top, 0.75)) 14 (510, 480)
          Picture.route ("RetiringActive", (Right, 0.8)) ("Closing", (Right, 0.1)) 20 (618, 540)
          Picture.route ("Told", (Bottom, 0.5)) ("Closing", (Right, 0.3)) 20 (706, 650)
          Picture.route ("Unused", (Bottom, 0.5)) ("Closing", (Left, 0.3)) 20 (190, 685)
          Picture.route ("Open", (Bottom, 0.421)) ("Closing", (Top, 0.13)) 20 (375, 690)
          Picture.route ("RetiringUnused", (Bottom, 0.74)) ("Closing", (Top, 0.79)) 20 (491, 660)
          Picture.route ("Open", (Bottom, 0.913)) ("Gone", (Top, 0.786)) 20 (800, 700)
          Picture.route ("Closing", (Right, 0.85)) ("Gone", (Left, 0.85)) 14 (588, 779)
          Picture.route ("Closing", (Left, 0.6)) ("Closing", (Bottom, 0.3)) 24 (260, 790) ]
      OrdersInBoxes = false }

let life () =
    let steps = walk normal
    Picture.draw lifeSketch facts (fun _ _ -> true) (box born) (source normal steps) (seen box steps)

/// New and Idle differ only in that.
let private unusedOrNot life = match box life with "New" | "Idle" -> "Unused" | key -> key

/// What the first picture shows is not shown again: events of a box whose every step belongs to normal life. But all can end,
/// or be disowned.
let private isBeyond steps =
    let normal = HashSet [ for s in walk normal -> struct (s.Before, s.Event) ]
    let beyond =
        set [ for s in steps do
                  if s.Event = Ended || s.Event = Disown || not (normal.Contains(struct (s.Before, s.Event))) then
                      unusedOrNot s.Before, eventName s.Event ]
    fun box event -> beyond.Contains(box, event)

let wayOut () =
    let steps = walk all
    Picture.draw wayOutSketch facts (isBeyond steps) (unusedOrNot born) (source all steps) (seen unusedOrNot steps)
