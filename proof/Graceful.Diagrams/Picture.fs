/// A picture before it is drawn: its boxes by hand, its arrows by the walk.
namespace Graceful.Diagrams

open Graceful.Diagrams.Arrows

/// Where an arrow meets a box: a side, and how far along it (from the left or from the top).
type Side =
    | Top
    | Bottom
    | Left
    | Right

/// What colour a box has.
type Mood =
    /// Life goes on.
    | Alive
    /// On the way out.
    | Leaving
    /// The end.
    | Final

/// A state as people talk of it, and the middle of its place.
type Box =
    { Key: string
      Title: string
      Says: string list
      Mood: Mood
      At: int * int }

/// A line around boxes that share arrows, and how far it stays away from them: left, top, right, bottom.
type Fence =
    { Frame: Frame
      Title: string
      Margins: int * int * int * int }

/// How an arrow runs.
type Route =
    { From: string
      To: string
      Leaves: Side * float
      Enters: Side * float
      /// What it runs through before the middle of its label, that middle, and what it runs through after.
      Before: (int * int) list
      Label: int * int
      After: (int * int) list
      /// How many letters a line of its label may have.
      Letters: int }

/// All that is decided by hand about a picture. What happens in it is not among that.
type Sketch =
    { /// Its file's name.
      Name: string
      Title: string
      /// What a reader must know beside the arrows.
      Caption: string list
      Size: int * int
      Boxes: Box list
      Fences: Fence list
      Routes: Route list
      /// Whether what every arrow into a box orders last stands in the box.
      OrdersInBoxes: bool }

type Picture =
    { Sketch: Sketch
      Arrows: Arrow list
      /// What each box orders in the end, whichever arrow leads there.
      InBox: Map<string, string list>
      Start: string
      /// What it was drawn from, in one sentence.
      Source: string }

module Picture =
    let box key title says mood place = { Key = key; Title = title; Says = says; Mood = mood; At = place }

    let fence key title margins members = { Frame = { Key = key; Members = members }; Title = title; Margins = margins }

    let route (from, leaves) (into, enters) letters label =
        { From = from; To = into; Leaves = leaves; Enters = enters; Letters = letters; Before = []; Label = label; After = [] }

    let private complain (sketch: Sketch) what = failwith $"The picture '{sketch.Name}' {what}"

    /// Boxes, fences and routes are kept by hand: they must be those of the arrows, no more and no less.
    let private check (sketch: Sketch) start (arrows: Arrow list) =
        let fences = sketch.Fences |> List.map _.Frame
        let ends = [ for a in arrows do yield! [ a.From; a.To ] ]
        let fenced = fences |> List.filter (fun f -> List.contains f.Key ends) |> List.collect _.Members
        let found = start :: fenced @ ends |> List.distinct |> List.except (fences |> List.map (fun (f: Frame) -> f.Key))
        let known = sketch.Boxes |> List.map (fun (b: Box) -> b.Key)
        for key in List.except known found do
            complain sketch $"has no place for the state '{key}', which the walk found: add it to its boxes."
        for key in List.except found known do
            complain sketch $"has a box '{key}', and the walk found no such state: remove it."
        for fence in fences do
            if not (List.contains fence.Key ends) then
                complain sketch $"has a fence '{fence.Key}' whose members share no arrow: remove it."
        for route in sketch.Routes do
            if not (arrows |> List.exists (fun a -> a.From = route.From && a.To = route.To)) then
                complain sketch $"has a route from '{route.From}' to '{route.To}', and no arrow goes there: remove it."

    /// Boxes that nothing leads out of.
    let ends picture =
        let left = picture.Arrows |> List.filter (fun a -> a.From <> a.To) |> List.map _.From
        let fenced = picture.Sketch.Fences |> List.filter (fun f -> List.contains f.Frame.Key left) |> List.collect _.Frame.Members
        picture.Sketch.Boxes |> List.map _.Key |> List.filter (fun key -> not (List.contains key left || List.contains key fenced))

    /// Draws what a walk saw into a sketch. The sketch has a place for exactly what is shown.
    let draw (sketch: Sketch) facts isShown start source (seen: Seen list) =
        let arrows, inBox = Arrows.draw facts (sketch.Fences |> List.map _.Frame) sketch.OrdersInBoxes isShown seen
        check sketch start arrows
        let title key = sketch.Boxes |> List.find (fun (b: Box) -> b.Key = key) |> _.Title
        let titled line = { line with First = line.First |> List.map (fun (key, orders) -> title key, orders) }
        { Sketch = sketch
          Arrows = arrows |> List.map (fun a -> { a with Lines = List.map titled a.Lines })
          InBox = inBox
          Start = start
          Source = source }
