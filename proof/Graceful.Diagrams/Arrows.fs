/// From the steps of a walk to the arrows of a picture. Nothing in here knows a machine: what an arrow says is what the
/// steps had in common, and a condition is on an arrow exactly if the steps that took it differ by it from those that did not.
module Graceful.Diagrams.Arrows

/// Something that may or may not hold when an event comes, in the words that an arrow uses for it.
type Fact<'step> =
    { Yes: string
      No: string
      Holds: 'step -> bool }

/// A step in the words of a picture: from box to box.
type Seen =
    { From: string
      Event: string
      /// The facts that held, in their order.
      Facts: bool list
      To: string
      Orders: string list }

/// An event, and what else must hold for it to take an arrow.
type Cause = { Event: string; Conditions: string list }

/// Everything on an arrow that orders the same.
type Line =
    { Causes: Cause list
      Orders: string list
      /// What some members of a frame order before that.
      First: (string * string list) list }

type Arrow =
    { From: string
      To: string
      Lines: Line list }

/// Several boxes that share arrows: what each of them does is drawn once.
type Frame = { Key: string; Members: string list }

/// One cause that takes one arrow.
type private Reason =
    { Source: string
      Target: string
      Cause: Cause
      Ordered: string list
      FirstIn: (string * string list) list }

/// What a reader would see happen: a step within a box that orders nothing is none of it.
let private isVisible (seen: Seen) = seen.From <> seen.To || not seen.Orders.IsEmpty

/// All ways to choose up to `size` of the facts and to say of each whether it holds, the shortest first.
let private conjunctions (facts: Fact<'step> list) size =
    let rec choose size from =
        if size = 0 then [ [] ]
        else
            [ for i in from .. facts.Length - 1 do
                  for rest in choose (size - 1) (i + 1) do
                      for wanted in [ true; false ] do
                          (i, wanted) :: rest ]
    [ for n in 0..size do
          yield! choose n 0 ]

/// The shortest condition that holds in every step with this outcome and in no step with another.
let private condition (facts: Fact<'step> list) (all: Seen list) (these: Seen list) =
    let holds conjunction (seen: Seen) = conjunction |> List.forall (fun (i, wanted) -> List.item i seen.Facts = wanted)
    let others = List.except these all
    match conjunctions facts 3 |> List.tryFind (fun c -> List.forall (holds c) these && not (List.exists (holds c) others)) with
    | Some conjunction -> conjunction |> List.map (fun (i, wanted) -> if wanted then facts[i].Yes else facts[i].No)
    | None ->
        let seen = these.Head
        let orders = String.concat ", " seen.Orders
        failwith
            $"From '{seen.From}', '{seen.Event}' sometimes leads to '{seen.To}' with [{orders}], and no known fact says when: \
              tell these states apart, or add the fact that does."

/// Conditions are only looked for where they are shown: the words of a picture may not tell apart what it leaves out.
let private reasons facts isShown (seen: Seen list) =
    [ for (source, event), all in seen |> List.distinct |> List.groupBy (fun s -> s.From, s.Event) do
          for (target, orders), these in all |> List.groupBy (fun s -> s.To, s.Orders) do
              if isVisible these.Head then
                  { Source = source
                    Target = target
                    Cause = { Event = event; Conditions = (if isShown source event then condition facts all these else []) }
                    Ordered = orders
                    FirstIn = [] } ]

let private commonEnd (lists: string list list) =
    let rec common lists =
        match List.map List.tryHead lists |> List.distinct with
        | [ Some item ] -> item :: common (List.map List.tail lists)
        | _ -> []
    match lists with
    | [] -> []
    | lists -> lists |> List.map List.rev |> common |> List.rev

let private withoutEnd (tail: string list) (orders: string list) = List.take (orders.Length - tail.Length) orders

/// What every arrow into a box orders last: the box can say it once for all of them. Arrows of another picture count too,
/// but for what happens there within the box.
let private orderedInBox isShown reasons =
    reasons
    |> List.filter (fun r -> r.Source <> r.Target || isShown r.Source r.Cause.Event)
    |> List.groupBy _.Target
    |> List.map (fun (target, arriving) -> target, commonEnd (List.map _.Ordered arriving))
    |> Map.ofList

/// What every member of a frame does for the same cause with the same target is said once, from the frame.
let private lift (frame: Frame) reasons =
    let isShared (_, alike) = List.forall (fun m -> List.exists (fun r -> r.Source = m) alike) frame.Members
    let shared =
        reasons
        |> List.filter (fun r -> List.contains r.Source frame.Members && not (List.contains r.Target frame.Members))
        |> List.groupBy (fun r -> r.Target, r.Cause)
        |> List.filter isShared
    let lifted =
        [ for (target, cause), alike in shared do
              let orders = commonEnd (List.map _.Ordered alike)
              { Source = frame.Key
                Target = target
                Cause = cause
                Ordered = orders
                FirstIn = [ for r in alike |> List.sortBy (fun r -> List.findIndex ((=) r.Source) frame.Members) do
                                match withoutEnd orders r.Ordered with
                                | [] -> ()
                                | first -> r.Source, first ] } ]
    List.except (List.collect snd shared) reasons @ lifted

let private arrow (source, target) reasons =
    { From = source
      To = target
      Lines = [ for (orders, first), alike in reasons |> List.groupBy (fun r -> r.Ordered, r.FirstIn) do
                    { Causes = List.map _.Cause alike; Orders = orders; First = first } ]
              |> List.sortBy (fun line -> line.Orders.Length) }

/// The arrows between the boxes of a picture, and what each box orders in the end whichever arrow leads there.
let draw facts (frames: Frame list) ordersInBoxes isShown (seen: Seen list) =
    let all = reasons facts isShown seen
    let inBox = if ordersInBoxes then orderedInBox isShown all else Map.empty
    let shown =
        [ for r in all do
              if isShown r.Source r.Cause.Event then
                  { r with Ordered = withoutEnd (Map.tryFind r.Target inBox |> Option.defaultValue []) r.Ordered } ]
    let lifted = (shown, frames) ||> List.fold (fun reasons frame -> lift frame reasons)
    lifted |> List.groupBy (fun r -> r.Source, r.Target) |> List.map (fun (ends, alike) -> arrow ends alike), inBox
