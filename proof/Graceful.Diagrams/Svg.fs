/// A laid-out picture as SVG: text that can be selected, colours that can be read on a light and on a dark page.
module Graceful.Diagrams.Svg

open System
open System.Text
open Graceful.Diagrams.Arrows
open Graceful.Diagrams.Layout

let private escape (text: string) = text.Replace("&", "&amp;").Replace("<", "&lt;").Replace(">", "&gt;")

/// Whole pixels, so that no machine's rounding shows.
let private n (value: float) = $"%d{int (Math.Round value)}"

let private style =
    "text { font-family: system-ui, -apple-system, 'Segoe UI', Helvetica, Arial, sans-serif; font-size: 13px; fill: #1f2933 }\n\
     .heading { font-size: 20px; font-weight: 600 }\n\
     .title { font-size: 15px; font-weight: 600; text-anchor: middle }\n\
     .says { text-anchor: middle; fill: #3e4c59 }\n\
     .label, .orders { font-family: ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace; font-size: 12px; white-space: pre }\n\
     .orders { text-anchor: middle }\n\
     .condition { fill: #7a3e9d }\n\
     .order, .orders { fill: #0b6b4f }\n\
     .caption { fill: #3e4c59 }\n\
     .alive { fill: #dcebfa; stroke: #3b78b5 }\n\
     .leaving { fill: #fdeccb; stroke: #b7791f }\n\
     .final { fill: #e1e5ea; stroke: #52606d; stroke-width: 2.5 }\n\
     .fence { fill: none; stroke: #8a96a3; stroke-dasharray: 6 4 }\n\
     .fence-title { fill: #52606d; font-style: italic }\n\
     .arrow { fill: none; stroke: #52606d; stroke-width: 1.4 }\n\
     .paper { fill: #fbfbf9; stroke: #d5dae0 }\n\
     .behind { fill: #fbfbf9 }"

let private mood (box: Box) =
    match box.Mood with
    | Alive -> "alive"
    | Leaving -> "leaving"
    | Final -> "final"

let private drawBox (placed: PlacedBox) =
    let r = placed.Rect
    let x = n r.Middle.X
    [ $"""<rect class="{mood placed.Box}" x="{n r.Left}" y="{n r.Top}" width="{n r.Width}" height="{n r.Height}" rx="8"/>"""
      $"""<text class="title" x="{x}" y="{n (r.Top + 22.0)}">{escape placed.Box.Title}</text>"""
      for i, line in List.indexed placed.Box.Says do
          $"""<text class="says" x="{x}" y="{n (r.Top + 40.0 + lineHeight * float i)}">{escape line}</text>"""
      for i, line in List.indexed placed.Orders do
          $"""<text class="orders" x="{x}" y="{n (r.Top + 40.0 + lineHeight * float (placed.Box.Says.Length + i))}">{escape line}</text>""" ]

let private drawFence (placed: PlacedFence) =
    let r = placed.Rect
    [ $"""<rect class="fence" x="{n r.Left}" y="{n r.Top}" width="{n r.Width}" height="{n r.Height}" rx="12"/>"""
      $"""<text class="fence-title" x="{n (r.Left + 12.0)}" y="{n (r.Top + 20.0)}">{escape placed.Fence.Title}</text>""" ]

let private drawCurve (arrow: PlacedArrow) =
    let point p = $"{n p.X} {n p.Y}"
    let rest = arrow.Curves |> List.map (fun c -> $"C {point c.B}, {point c.C}, {point c.D}") |> String.concat " "
    $"""<path class="arrow" marker-end="url(#head)" d="M {point arrow.Curves.Head.A} {rest}"/>"""

let private ink (piece: Label.Piece) =
    match piece.Ink with
    | Label.Event -> "event"
    | Label.Condition -> "condition"
    | Label.Order -> "order"

let private drawLabel (arrow: PlacedArrow) =
    let r = arrow.Label
    let spans (line: Label.Line) = line.Pieces |> List.map (fun (p: Label.Piece) -> $"""<tspan class="{ink p}">{escape p.Text}</tspan>""") |> String.concat " "
    [ $"""<rect class="behind" x="{n r.Left}" y="{n r.Top}" width="{n r.Width}" height="{n r.Height}" rx="4"/>"""
      for i, line in List.indexed arrow.Lines do
          $"""<text class="label" x="{n (r.Left + 4.0 + letterWidth * float line.Indent)}" y="{n (r.Top + 14.0 + lineHeight * float i)}">{spans line}</text>""" ]

let private legend x y =
    $"""<text class="label" x="{x}" y="{y}">what happens <tspan class="condition">[if]</tspan> <tspan class="order">→ what is ordered</tspan></text>"""

/// For whoever cannot see the picture, and for whoever reads where two of them differ.
let private inWords (sketch: Sketch) (arrow: Arrow) =
    let name key =
        match sketch.Boxes |> List.tryFind (fun (box: Box) -> box.Key = key) with
        | Some box -> String.concat " " (box.Title :: box.Says)
        | None -> sketch.Fences |> List.find (fun (fence: Fence) -> fence.Frame.Key = key) |> _.Title
    let label = Label.lines Int32.MaxValue arrow |> List.map Label.text |> String.concat " "
    $"From '{name arrow.From}' to '{name arrow.To}': {label}"

let draw layout =
    let picture = layout.Picture
    let sketch = picture.Sketch
    let width, height = sketch.Size
    let caption = sketch.Caption @ [ picture.Source ]
    let svg = StringBuilder()
    let write (line: string) = svg.Append(line).Append('\n') |> ignore
    write $"""<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" role="img">"""
    write $"<title>{escape sketch.Title}</title>"
    write "<desc>"
    sketch.Caption @ List.map (inWords sketch) picture.Arrows @ [ picture.Source ] |> List.iter (escape >> write)
    write "</desc>"
    write $"<style>\n{style}\n</style>"
    write """<defs><marker id="head" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="8" markerHeight="8" orient="auto"><path d="M 0 1 L 10 5 L 0 9 z" fill="#52606d"/></marker></defs>"""
    write $"""<rect class="paper" x="1" y="1" width="{width - 2}" height="{height - 2}" rx="10"/>"""
    write $"""<text class="heading" x="24" y="38">{escape sketch.Title}</text>"""
    write (legend (width - 300) 36)
    layout.Fences |> List.collect drawFence |> List.iter write
    layout.Arrows |> List.map drawCurve |> List.iter write
    layout.Boxes |> List.collect drawBox |> List.iter write
    layout.Arrows |> List.collect drawLabel |> List.iter write
    for i, line in List.indexed caption do
        write $"""<text class="caption" x="24" y="{height - 18 * (caption.Length - i) + 2}">{escape line}</text>"""
    write "</svg>"
    svg.ToString()
