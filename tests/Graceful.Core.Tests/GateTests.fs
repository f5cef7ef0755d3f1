/// Every gate with up to three inside, against every event and against a naive model of its own.
module Graceful.Core.Tests.GateTests

open Graceful.Core
open Xunit

/// In this order, and never back but from announced.
type Stance =
    | Open = 0
    | Announced = 1
    | Draining = 2
    | Shut = 3

type Model = { Stance: Stance; Inside: int; Sealed: bool }

/// A gate that has to empty and is empty is sealed, and says so in the step that made it so.
let private settle model =
    if not model.Sealed && model.Stance >= Stance.Draining && model.Inside = 0 then
        { Stance = Stance.Shut; Inside = 0; Sealed = true }, Emptied
    else
        model, NoChange

let private naive event model =
    match event with
    | Enter when model.Stance = Stance.Shut -> model, Refuse
    | Enter ->
        { model with Inside = model.Inside + 1 }, (if model.Stance = Stance.Open then Admit else AdmitRetiring)
    | Leave -> settle { model with Inside = max 0 (model.Inside - 1) }
    | Announce -> { model with Stance = max Stance.Announced model.Stance }, NoChange
    | Withdraw -> { model with Stance = (if model.Stance = Stance.Announced then Stance.Open else model.Stance) }, NoChange
    | Drain -> settle { model with Stance = max Stance.Draining model.Stance }
    | Shut -> settle { model with Stance = Stance.Shut }

let private events = [ Enter; Leave; Announce; Withdraw; Drain; Shut ]

type Life = { Gate: Gate; Model: Model; Emptied: int }

let private happen event life =
    let struct (gate, effect) = Gate.step event life.Gate
    let model, expected = naive event life.Model
    { Gate = gate; Model = model; Emptied = min 2 (life.Emptied + (if effect = Emptied then 1 else 0)) },
    effect,
    expected

let private lives =
    Walk.reach
        (fun event life -> let next, _, _ = happen event life in next)
        events
        // Both are bounded, so that the walk ends even when they disagree.
        (fun life -> life.Model.Inside <= 3 && Gate.inside life.Gate <= 3L)
        { Gate = Gate.initial; Model = { Stance = Stance.Open; Inside = 0; Sealed = false }; Emptied = 0 }

let private always holds =
    for life, path in lives do
        for event in events do
            let next, effect, expected = happen event life
            if not (holds life event next effect expected) then
                Assert.Fail $"After %A{path} came %A{event}: %A{effect}, from %A{life} to %A{next}"

[<Fact>]
let ``the gate does what the naive model does, in every word and on every event`` () =
    printfn $"Gate: %d{lives.Length} words, %d{lives.Length * events.Length} edges"
    Assert.Equal(lives.Length, lives |> List.distinctBy (fun (life, _) -> life.Gate) |> List.length)
    always (fun _ _ next effect expected ->
        effect = expected
        && Gate.inside next.Gate = int64 next.Model.Inside
        && Gate.isSealed next.Gate = next.Model.Sealed)

[<Fact>]
let ``Emptied happens once`` () =
    always (fun _ _ next _ _ -> next.Emptied = (if Gate.isSealed next.Gate then 1 else 0))

[<Fact>]
let ``a sealed gate is empty, and nothing moves it`` () =
    always (fun life event next effect _ ->
        not (Gate.isSealed life.Gate)
        || (Gate.inside next.Gate = 0L
            && next.Gate = life.Gate
            && effect = (if event = Enter then Refuse else NoChange)))

[<Fact>]
let ``nobody waits for a gate that is empty and has to be`` () =
    always (fun _ event next _ _ ->
        Gate.isSealed next.Gate || not ((event = Drain || event = Shut) && Gate.inside next.Gate = 0L))

[<Fact>]
let ``whoever enters is let in, told, or refused, by the latest thing that was said`` () =
    let rec stance path =
        match path with
        | [] -> Stance.Open
        | Announce :: rest -> max Stance.Announced (stance rest)
        | Withdraw :: rest -> if stance rest = Stance.Announced then Stance.Open else stance rest
        | Drain :: rest -> max Stance.Draining (stance rest)
        | Shut :: _ -> Stance.Shut
        | (Enter | Leave) :: rest -> stance rest
    for life, path in lives do
        let struct (_, answer) = Gate.step Enter life.Gate
        let expected =
            match stance path with
            | Stance.Open -> Admit
            | Stance.Shut -> Refuse
            | _ -> if Gate.isSealed life.Gate then Refuse else AdmitRetiring
        Assert.Equal((path, expected), (path, answer))

[<Fact>]
let ``nobody is let in twice, or leaves without having been inside`` () =
    always (fun life event next effect _ ->
        let came = Gate.inside next.Gate - Gate.inside life.Gate
        match effect with
        | Admit
        | AdmitRetiring -> came = 1L
        | Refuse -> came = 0L
        | NoChange
        | Emptied -> came = (if event = Leave && Gate.inside life.Gate > 0L then -1L else 0L))

[<Fact>]
let ``a full gate refuses and never wraps`` () =
    for stance in 0UL .. 3UL do
        let full = Gate(0xFFFF_FFFF_FFFF_FFFCUL ||| stance)
        let struct (next, effect) = Gate.step Enter full
        Assert.Equal(struct (full, Refuse), struct (next, effect))
        let struct (less, _) = Gate.step Leave full
        Assert.True(Gate.inside less = Gate.inside full - 1L)
        for event in [ Announce; Withdraw; Drain; Shut ] do
            let struct (next, effect) = Gate.step event full
            Assert.Equal(struct (Gate.inside full, NoChange), struct (Gate.inside next, effect))
        let almost = Gate(0xFFFF_FFFF_FFFF_FFF8UL ||| stance)
        let struct (last, answer) = Gate.step Enter almost
        Assert.Equal((if answer = Refuse then almost else full), last)
