/// A picture as Mermaid text, which GitHub and others draw by themselves.
module Graceful.Diagrams.Mermaid

open Graceful.Diagrams.Arrows

/// Mermaid ends a statement at a semicolon, and takes a hash for the start of an entity.
let private escape (text: string) = text.Replace("#", "").Replace(";", ",").Replace("\"", "'")

let private declare (inBox: Map<string, string list>) (box: Box) =
    let orders = inBox |> Map.tryFind box.Key |> Option.defaultValue [] |> List.map (fun order -> "→ " + order)
    let text = box.Title :: box.Says @ orders |> List.map escape |> String.concat "<br/>"
    $"state \"{text}\" as {box.Key}"

let private connect (arrow: Arrow) =
    let label = Label.lines 34 arrow |> List.map (Label.text >> escape) |> String.concat "<br/>"
    $"{arrow.From} --> {arrow.To}: {label}"

/// What is within some boxes, fences in fences first. A fence that holds another comes before it in the sketch.
let rec private contents picture indent (fences: Fence list) (boxes: Box list) =
    match fences with
    | [] -> [ for box in boxes -> indent + declare picture.InBox box ]
    | fence :: rest ->
        let inside, outside = boxes |> List.partition (fun box -> List.contains box.Key fence.Frame.Members)
        let isInside (other: Fence) = other.Frame.Members |> List.forall (fun m -> List.contains m fence.Frame.Members)
        let inner, others = List.partition isInside rest
        [ $"{indent}state \"{escape fence.Title}\" as {fence.Frame.Key} {{"
          yield! contents picture (indent + "    ") inner inside
          indent + "}"
          yield! contents picture indent others outside ]

let draw picture =
    [ "stateDiagram-v2"
      yield! contents picture "    " picture.Sketch.Fences picture.Sketch.Boxes
      $"    [*] --> {picture.Start}"
      for arrow in picture.Arrows do
          "    " + connect arrow
      for box in Picture.ends picture do
          $"    {box} --> [*]" ]
    |> List.map (fun line -> line + "\n")
    |> String.concat ""
