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
    let label = Label.lines 26 arrow |> List.map (Label.text >> escape) |> String.concat "<br/>"
    $"{arrow.From} --> {arrow.To}: {label}"

/// Mermaid lays out a box around boxes badly, so the arrows of a fence come from a state of its own that names its members.
let private declareFence sketch (fence: Fence) =
    let name key =
        let box = sketch.Boxes |> List.find (fun box -> box.Key = key)
        match sketch.Boxes |> List.filter (fun other -> other.Title = box.Title) with
        | [ _ ] -> box.Title
        | _ -> $"""{box.Title}, {String.concat " " box.Says}"""
    let text = $"in any of these ({fence.Title}):" :: List.map name fence.Frame.Members |> List.map escape |> String.concat "<br/>"
    [ $"state \"{text}\" as {fence.Frame.Key}"; $"class {fence.Frame.Key} anyOf" ]

let private statements picture =
    let sketch = picture.Sketch
    [ for box in sketch.Boxes do declare picture.InBox box
      for fence in sketch.Fences do yield! declareFence sketch fence
      if not sketch.Fences.IsEmpty then "classDef anyOf stroke-dasharray: 6 4"
      $"[*] --> {picture.Start}"
      for arrow in picture.Arrows do connect arrow
      for box in Picture.ends picture do $"{box} --> [*]" ]

let draw picture =
    "stateDiagram-v2\n" + (statements picture |> List.map (fun line -> $"    {line}\n") |> String.concat "")
