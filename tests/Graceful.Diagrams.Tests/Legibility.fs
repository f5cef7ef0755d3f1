/// What makes a picture readable can be checked: nothing lies on anything else.
module Graceful.Diagrams.Tests.Legibility

open Graceful.Diagrams
open Graceful.Diagrams.Layout
open Xunit

let private layouts = lazy [ for _, picture in Book.pictures -> Layout.make picture.Value ]

let private along (arrow: PlacedArrow) =
    [ for curve in arrow.Curves do
          for i in 0..30 do
              Layout.pointOn curve (float i / 30.0) ]

let private name (arrow: PlacedArrow) = $"{arrow.Arrow.From} -> {arrow.Arrow.To}"

let private inAll (find: Layout -> string list) =
    let found = [ for layout in layouts.Value do for what in find layout -> $"{layout.Picture.Sketch.Name}: {what}" ]
    if not found.IsEmpty then Assert.Fail(String.concat "\n" found)

[<Fact>]
let ``no label lies on a box or on another label`` () =
    inAll (fun layout ->
        [ for arrow in layout.Arrows do
              for box in layout.Boxes do
                  if arrow.Label.Meets box.Rect then $"the label of {name arrow} lies on {box.Box.Key}"
          for a, b in List.allPairs layout.Arrows layout.Arrows do
              if name a < name b && a.Label.Meets b.Label then $"the labels of {name a} and {name b} meet" ])

[<Fact>]
let ``no arrow runs through a box or through the label of another`` () =
    inAll (fun layout ->
        [ for arrow in layout.Arrows do
              for box in layout.Boxes do
                  if along arrow |> List.exists (box.Rect.Grown -1.0).Holds then $"{name arrow} runs through {box.Box.Key}"
              for other in layout.Arrows do
                  if other <> arrow && along arrow |> List.exists other.Label.Holds then
                      $"{name arrow} runs through the label of {name other}" ])

/// Whether two short straight lines cross.
let private cross (a, b) (c, d) =
    let side p q r = (q.X - p.X) * (r.Y - p.Y) - (q.Y - p.Y) * (r.X - p.X)
    side a b c * side a b d < 0.0 && side c d a * side c d b < 0.0

[<Fact>]
let ``no two arrows cross`` () =
    inAll (fun layout ->
        [ for a, b in List.allPairs layout.Arrows layout.Arrows do
              if name a < name b
                 && List.allPairs (List.pairwise (along a)) (List.pairwise (along b)) |> List.exists (fun (p, q) -> cross p q) then
                  $"{name a} and {name b} cross" ])

[<Fact>]
let ``everything is on the paper`` () =
    inAll (fun layout ->
        let width, height = layout.Picture.Sketch.Size
        let captionLines = layout.Picture.Sketch.Caption.Length + 1
        let paper = { Left = 4.0; Top = 44.0; Width = float width - 8.0; Height = float height - 48.0 - 18.0 * float captionLines }
        let isOn (r: Rect) = r.Left >= paper.Left && r.Right <= paper.Right && r.Top >= paper.Top && r.Bottom <= paper.Bottom
        [ for box in layout.Boxes do if not (isOn box.Rect) then $"{box.Box.Key} leaves the paper"
          for fence in layout.Fences do if not (isOn fence.Rect) then $"{fence.Fence.Frame.Key} leaves the paper"
          for arrow in layout.Arrows do
              if not (isOn arrow.Label) || not (along arrow |> List.forall paper.Holds) then $"{name arrow} leaves the paper"
          for line in layout.Picture.Sketch.Caption @ [ layout.Picture.Source ] do
              if Layout.captionWidth line > float width - 48.0 then $"the caption '{line}' is too long" ])

[<Fact>]
let ``a fence holds its members and nobody else`` () =
    inAll (fun layout ->
        [ for fence in layout.Fences do
              for box in layout.Boxes do
                  let isMember = List.contains box.Box.Key fence.Fence.Frame.Members
                  if fence.Rect.Meets box.Rect <> isMember then $"{fence.Fence.Frame.Key} and {box.Box.Key}" ])
