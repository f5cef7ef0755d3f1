/// What stands on an arrow, in short lines.
module Graceful.Diagrams.Label

open Graceful.Diagrams.Arrows

type Ink =
    | Event
    | Condition
    | Order

type Piece = { Ink: Ink; Text: string }

let private piece ink text = { Ink = ink; Text = text }

let private separated ink names =
    names |> List.mapi (fun i name -> piece ink (if i < List.length names - 1 then name + "," else name))

let private conditionOf (conditions: string list) =
    let last = conditions.Length - 1
    conditions |> List.mapi (fun i c -> (if i = 0 then "[" + c else c) + (if i = last then "]" else "")) |> separated Condition

let private causes shared (line: Line) =
    let own cause = List.except shared cause.Conditions
    [ for conditions, alike in line.Causes |> List.groupBy own -> separated Event (List.map _.Event alike) @ conditionOf conditions ]

let private arrowed names =
    match separated Order names with
    | [] -> []
    | first :: rest -> { first with Text = "→ " + first.Text } :: rest

/// Where other causes on the same arrow do order something, "nothing" is said too.
let private orders (arrow: Arrow) (line: Line) =
    [ for state, first in line.First do
          yield arrowed first @ conditionOf [ $"in {state}" ]
      if not line.Orders.IsEmpty then yield arrowed line.Orders
      elif arrow.Lines.Length > 1 then yield arrowed [ "nothing" ] ]

/// A line, and how far it is moved to the right.
type Line = { Indent: int; Pieces: Piece list }

let private indented = 2

/// No piece is ever broken; what does not fit goes on in the next line, a little to the right.
let private wrap letters indent (pieces: Piece list) =
    let length line = line.Indent + List.sumBy (fun p -> p.Text.Length + 1) line.Pieces
    let folder lines p =
        match lines with
        | current :: rest when length current + p.Text.Length <= letters -> { current with Pieces = current.Pieces @ [ p ] } :: rest
        | [] -> [ { Indent = indent; Pieces = [ p ] } ]
        | _ -> { Indent = indent + indented; Pieces = [ p ] } :: lines
    pieces |> List.fold folder [] |> List.rev

let private conditionsOf (arrow: Arrow) =
    let causes = arrow.Lines |> List.collect _.Causes
    if causes.Length = 1 then []
    else causes.Head.Conditions |> List.filter (fun c -> causes |> List.forall (fun cause -> List.contains c cause.Conditions))

/// The lines of an arrow's label, none longer than `letters` if it can be helped. What all its causes need is said once.
let lines letters (arrow: Arrow) =
    let shared = conditionsOf arrow
    [ yield! wrap letters 0 (conditionOf shared)
      for line in arrow.Lines do
          match causes shared line, orders arrow line with
          | [ cause ], [ order ] when (wrap letters 0 (cause @ order)).Length = 1 -> yield! wrap letters 0 (cause @ order)
          | causes, orders ->
              for cause in causes do yield! wrap letters 0 cause
              for order in orders do yield! wrap letters indented order ]

let text line = line.Pieces |> List.map _.Text |> String.concat " "
