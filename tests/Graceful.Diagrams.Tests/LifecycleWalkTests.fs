/// The pictures of the Lifecycle are drawn from whole lives: nothing that happens in them falls between two pictures.
module Graceful.Diagrams.Tests.LifecycleWalkTests

open Graceful.Core
open Graceful.Diagrams
open Xunit

let private all = LifecycleWalk.all.Value

[<Fact>]
let ``whatever changes the stage or orders something is to be seen in a picture`` () =
    for taken in all do
        let moves = Lifecycle.stage taken.Before <> Lifecycle.stage taken.After || not taken.Effects.IsEmpty
        if moves && not (LifecyclePictures.isShown taken) then
            Assert.Fail $"In no picture: %A{taken.Event} in %A{taken.Before}"

[<Fact>]
let ``the walk hears every event in every stage, and sees every order`` () =
    let event, stage, order = Words.caseOf<Event>, Words.caseOf<Stage>, Words.caseOf<Effect>
    let cases union = FSharp.Reflection.FSharpType.GetUnionCases union |> Array.map _.Name
    let heard = set [ for taken in all -> stage (Lifecycle.stage taken.Before), event taken.Event ]
    for s in cases typeof<Stage> do
        for e in cases typeof<Event> do
            // A hook answers only while it runs; elsewhere its answer is late and changes nothing, as a test of the core says.
            if e <> "HookFinished" then Assert.True(heard.Contains(s, e), $"{e} was never heard in {s}")
    let ordered = set [ for taken in all do for effect in taken.Effects -> order effect ]
    Assert.Equal<string list>([ "WakeAt" ], [ for effect in cases typeof<Effect> do if not (ordered.Contains effect) then effect ])

[<Fact>]
let ``time goes by in the walk: everything that can fall due does`` () =
    let due = set [ for taken in all do if taken.Event = Woke then LifecycleWalk.nameOf taken ]
    let expected =
        [ "grace period over"; "successor's time over"; "idle look due"; "drill over"; "hook's time over"; "lame duck over"; "sweep due"; "nothing due" ]
    Assert.Equal<Set<string>>(set [ for what in expected -> $"Woke: {what}" ], due)
