/// From steps to arrows, on a machine small enough to draw by hand.
module Graceful.Diagrams.Tests.ArrowTests

open System
open Graceful.Diagrams
open Graceful.Diagrams.Arrows
open Xunit

let private facts: Fact<unit> list =
    [ { Yes = "warm"; No = "cold"; Holds = ignore >> (fun () -> true) }
      { Yes = "wet"; No = "dry"; Holds = ignore >> (fun () -> true) } ]

let private step from event held into orders : Seen = { From = from; Event = event; Facts = held; To = into; Orders = orders }
let private everything _ _ = true
let private drawn seen = Arrows.draw facts [] false everything seen |> fst

let private line conditions event orders =
    { Causes = [ { Event = event; Conditions = conditions } ]; Orders = orders; First = [] }

[<Fact>]
let ``a step within a box that orders nothing has no arrow`` () =
    Assert.Empty(drawn [ step "A" "go" [ true; true ] "A" [] ])

[<Fact>]
let ``a condition is on an arrow exactly where outcomes differ by it`` () =
    let arrows =
        drawn
            [ step "A" "go" [ true; true ] "B" []
              step "A" "go" [ true; false ] "B" []
              step "A" "go" [ false; true ] "A" [ "Wait" ]
              step "A" "go" [ false; false ] "A" []
              step "B" "go" [ true; true ] "A" []
              step "B" "go" [ false; true ] "A" [] ]
    Assert.Equal<Arrow list>(
        [ { From = "A"; To = "B"; Lines = [ line [ "warm" ] "go" [] ] }
          { From = "A"; To = "A"; Lines = [ line [ "cold"; "wet" ] "go" [ "Wait" ] ] }
          { From = "B"; To = "A"; Lines = [ line [] "go" [] ] } ],
        arrows
    )

[<Fact>]
let ``a difference that no fact explains is an error, not a picture`` () =
    let error =
        Assert.Throws<Exception>(fun () ->
            drawn [ step "A" "go" [ true; true ] "B" []; step "A" "go" [ true; true ] "A" [ "Wait" ] ] |> ignore)
    Assert.Contains("From 'A', 'go' sometimes leads to", error.Message)

[<Fact>]
let ``events that do the same share an arrow, and those that do not have lines of their own`` () =
    let arrows =
        drawn
            [ step "A" "go" [ true; true ] "B" [ "Ring" ]
              step "A" "run" [ true; true ] "B" [ "Ring" ]
              step "A" "creep" [ true; true ] "B" [] ]
    let only = Assert.Single arrows
    Assert.Equal<string list list>([ [ "creep" ]; [ "go"; "run" ] ], only.Lines |> List.map (fun l -> List.map _.Event l.Causes))

[<Fact>]
let ``what all members of a fence do is drawn once, with what some of them order before`` () =
    let frame = { Key = "Both"; Members = [ "A"; "B" ] }
    let seen into =
        [ step "A" "stop" [ true; true ] "C" [ "Ring"; "Leave" ]
          step "B" "stop" [ true; true ] into [ "Leave" ] ]
    let shared, _ = Arrows.draw facts [ frame ] false everything (seen "C")
    Assert.Equal<Arrow list>(
        [ { From = "Both"; To = "C"; Lines = [ { line [] "stop" [ "Leave" ] with First = [ "A", [ "Ring" ] ] } ] } ],
        shared
    )
    let apart, _ = Arrows.draw facts [ frame ] false everything (seen "D")
    Assert.Equal<string list>([ "A"; "B" ], apart |> List.map _.From)

[<Fact>]
let ``a box says only what every arrow into it orders last, also those that are not shown`` () =
    let seen =
        [ step "A" "go" [ true; true ] "B" [ "Ring"; "Open" ]
          step "B" "again" [ true; true ] "B" [ "Open" ] ]
    let inBox shown seen = Arrows.draw facts [] true shown seen |> snd |> Map.tryFind "B"
    Assert.Equal(Some [ "Open" ], inBox everything seen)
    let hidden = step "C" "sneak" [ true; true ] "B" []
    Assert.Equal(Some [], inBox (fun from _ -> from <> "C") (hidden :: seen))

let private sketch boxes =
    { Name = "small"; Title = "Small"; Caption = []; Size = 100, 100; Fences = []; Routes = []; OrdersInBoxes = false
      Boxes = [ for key in boxes -> Picture.box key key [] Alive (0, 0) ] }

let private refused sketch =
    let seen = [ step "A" "go" [ true; true ] "B" [] ]
    Assert.Throws<Exception>(fun () -> Picture.draw sketch facts everything "A" "" seen |> ignore).Message

[<Fact>]
let ``a state without a place is an error, and so are a box, a fence and a route that nothing needs`` () =
    let both = sketch [ "A"; "B" ]
    Assert.Contains("has no place for the state 'B'", refused (sketch [ "A" ]))
    Assert.Contains("has a box 'C'", refused (sketch [ "A"; "B"; "C" ]))
    Assert.Contains("has a fence 'Both'", refused { both with Fences = [ Picture.fence "Both" "both" (0, 0, 0, 0) [ "A"; "B" ] ] })
    Assert.Contains(
        "has a route from 'B' to 'A'",
        refused { both with Routes = [ Picture.route ("B", (Top, 0.5)) ("A", (Top, 0.5)) 20 (0, 0) ] }
    )
