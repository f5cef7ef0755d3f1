/// Where everything in a picture is: boxes, fences, curves and labels, in whole pixels or nearly. Text is measured by a
/// table of one width a letter, so that the same picture comes out on every machine.
module Graceful.Diagrams.Layout

open System
open Graceful.Diagrams.Arrows

type Point = { X: float; Y: float }

type Rect =
    { Left: float
      Top: float
      Width: float
      Height: float }

    member r.Right = r.Left + r.Width
    member r.Bottom = r.Top + r.Height
    member r.Middle = { X = r.Left + r.Width / 2.0; Y = r.Top + r.Height / 2.0 }

    /// The same, larger by so much on each side.
    member r.Grown by = { Left = r.Left - by; Top = r.Top - by; Width = r.Width + 2.0 * by; Height = r.Height + 2.0 * by }
    member r.Meets(o: Rect) = r.Left < o.Right && o.Left < r.Right && r.Top < o.Bottom && o.Top < r.Bottom
    member r.Holds p = p.X > r.Left && p.X < r.Right && p.Y > r.Top && p.Y < r.Bottom

/// A cubic curve: from, two handles, to.
type Curve = { A: Point; B: Point; C: Point; D: Point }

type PlacedBox = { Box: Box; Orders: string list; Rect: Rect }
type PlacedFence = { Fence: Fence; Rect: Rect }

type PlacedArrow =
    { Arrow: Arrow
      Curves: Curve list
      Lines: Label.Line list
      Label: Rect }

type Layout =
    { Picture: Picture
      Boxes: PlacedBox list
      Fences: PlacedFence list
      Arrows: PlacedArrow list }

let lineHeight = 16.0
let titleHeight = 20.0

/// Of the font that labels have.
let letterWidth = 7.2

// Of a fixed-width font, 0.6 is the width of every letter; the others are a little more than the average.
let private fixedWidth size (text: string) = float text.Length * size * 0.602
let private plainWidth size (text: string) = float text.Length * size * 0.56

let captionWidth text = plainWidth 13.0 text

let private around middle width height =
    { Left = Math.Round(middle.X - width / 2.0); Top = Math.Round(middle.Y - height / 2.0); Width = width; Height = height }

let private at (x: int, y: int) = { X = float x; Y = float y }

let private placeBox (inBox: Map<string, string list>) (box: Box) =
    let orders = inBox |> Map.tryFind box.Key |> Option.defaultValue [] |> List.map (fun order -> "→ " + order)
    let widths = plainWidth 16.0 box.Title :: List.map (plainWidth 13.0) box.Says @ List.map (fixedWidth 12.0) orders
    let height = titleHeight + lineHeight * float (box.Says.Length + orders.Length) + 14.0
    { Box = box; Orders = orders; Rect = around (at box.At) (Math.Ceiling(List.max widths) + 24.0) height }

let private placeFence (boxes: PlacedBox list) (fence: Fence) =
    let inside = boxes |> List.filter (fun b -> List.contains b.Box.Key fence.Frame.Members) |> List.map _.Rect
    let left, top = (inside |> List.map _.Left |> List.min), (inside |> List.map _.Top |> List.min)
    let right, bottom = (inside |> List.map _.Right |> List.max), (inside |> List.map _.Bottom |> List.max)
    let (l, t, r, b) = fence.Margins
    let rect =
        { Left = left - float l
          Top = top - float t
          Width = right - left + float (l + r)
          Height = bottom - top + float (t + b) }
    { Fence = fence; Rect = rect }

let private anchor (rect: Rect) (side, along) =
    match side with
    | Top -> { X = rect.Left + rect.Width * along; Y = rect.Top }
    | Bottom -> { X = rect.Left + rect.Width * along; Y = rect.Bottom }
    | Left -> { X = rect.Left; Y = rect.Top + rect.Height * along }
    | Right -> { X = rect.Right; Y = rect.Top + rect.Height * along }

let private outward side =
    match side with
    | Top -> { X = 0.0; Y = -1.0 }
    | Bottom -> { X = 0.0; Y = 1.0 }
    | Left -> { X = -1.0; Y = 0.0 }
    | Right -> { X = 1.0; Y = 0.0 }

let private plus p by direction = { X = p.X + by * direction.X; Y = p.Y + by * direction.Y }
let private distance a b = Math.Sqrt((a.X - b.X) * (a.X - b.X) + (a.Y - b.Y) * (a.Y - b.Y))

/// Away from one side, smoothly through the points, and straight into the other side.
let private through points (start, startSide) (finish, finishSide) =
    let stops = Array.ofList (start :: points @ [ finish ])
    let last = stops.Length - 1
    let direction i =
        if i = 0 then outward startSide
        elif i = last then (let away = outward finishSide in { X = -away.X; Y = -away.Y })
        else
            let before, after = stops[i - 1], stops[i + 1]
            let length = max 1.0 (distance before after)
            { X = (after.X - before.X) / length; Y = (after.Y - before.Y) / length }
    [ for i in 0 .. last - 1 do
          let reach = 0.42 * distance stops[i] stops[i + 1]
          { A = stops[i]
            B = plus stops[i] reach (direction i)
            C = plus stops[i + 1] -reach (direction (i + 1))
            D = stops[i + 1] } ]

/// Where a curve is after a part of its way, from 0 to 1.
let pointOn curve t =
    let u = 1.0 - t
    let mix a b c d = u * u * u * a + 3.0 * u * u * t * b + 3.0 * u * t * t * c + t * t * t * d
    { X = mix curve.A.X curve.B.X curve.C.X curve.D.X; Y = mix curve.A.Y curve.B.Y curve.C.Y curve.D.Y }

/// Where an arrow runs that nobody has thought about: from the side that faces the other box.
let private facing (from: Rect) (into: Rect) =
    let dx, dy = into.Middle.X - from.Middle.X, into.Middle.Y - from.Middle.Y
    if from = into then (Right, 0.25), (Right, 0.75)
    elif abs dy * 2.0 >= abs dx then (if dy > 0.0 then (Bottom, 0.5), (Top, 0.5) else (Top, 0.5), (Bottom, 0.5))
    elif dx > 0.0 then (Right, 0.5), (Left, 0.5)
    else (Left, 0.5), (Right, 0.5)

let private placeArrow (routes: Route list) (rectOf: string -> Rect) (arrow: Arrow) =
    let from, into = rectOf arrow.From, rectOf arrow.To
    let route = routes |> List.tryFind (fun r -> r.From = arrow.From && r.To = arrow.To)
    let leaves, enters = match route with Some r -> r.Leaves, r.Enters | None -> facing from into
    let start, finish = anchor from leaves, anchor into enters
    let before, label, after =
        match route with
        | Some r -> List.map at r.Before, at r.Label, List.map at r.After
        | None when from = into -> [], { X = start.X + 90.0; Y = (start.Y + finish.Y) / 2.0 }, []
        | None -> [], { X = (start.X + finish.X) / 2.0; Y = (start.Y + finish.Y) / 2.0 }, []
    let lines = Label.lines (match route with Some r -> r.Letters | None -> 28) arrow
    let wide (line: Label.Line) = float line.Indent * letterWidth + fixedWidth 12.0 (Label.text line)
    let width = lines |> List.map wide |> List.max |> Math.Ceiling
    { Arrow = arrow
      Curves = through (before @ label :: after) (start, fst leaves) (finish, fst enters)
      Lines = lines
      Label = around label (width + 8.0) (lineHeight * float lines.Length + 4.0) }

let make picture =
    let sketch = picture.Sketch
    let boxes = sketch.Boxes |> List.map (placeBox picture.InBox)
    let fences = sketch.Fences |> List.map (placeFence boxes)
    let rects =
        Map [ for b in boxes -> b.Box.Key, b.Rect
              for f in fences -> f.Fence.Frame.Key, f.Rect ]
    { Picture = picture
      Boxes = boxes
      Fences = fences
      Arrows = picture.Arrows |> List.map (placeArrow sketch.Routes (fun key -> rects[key])) }
