/// The graph of hooks: their order, what is wrong with some, and how long they take.
module Graceful.Core.Tests.HookGraphTests

open System
open FsCheck
open FsCheck.FSharp
open Graceful.Core
open Graceful.Core.Tests.LifecycleTrace
open Xunit

/// Any hooks at all: names that are doubled or unknown, circles, the other stage.
let private anyHooks =
    gen {
        let! count = Gen.choose (0, 6)
        let name = Gen.elements [ "a"; "b"; "c"; "d"; "e"; "f"; "g" ]
        let! names = Gen.frequency [ 1, Gen.arrayOfLength count name; 4, Gen.shuffle [| "a"; "b"; "c"; "d"; "e"; "f" |] ]
        return!
            Gen.listOfLength count (gen {
                let! stage = Gen.frequency [ 5, Gen.constant BeforeDrain; 1, Gen.constant AfterDrain ]
                let! limit = Gen.choose (0, 9)
                let! some = Gen.choose (0, 2)
                let! after = Gen.listOfLength some (Gen.frequency [ 1, name; 6, (if count = 0 then name else Gen.elements (Array.truncate count names)) ])
                let! chained = Gen.elements [ true; false ]
                return { hook "" stage limit with WaitsFor = (if chained then ValueNone else ValueSome after) }
            })
            |> Gen.map (List.mapi (fun i hook -> { hook with Name = names[i] }))
    }

let private forAllHooks holds =
    let config =
        Config.QuickThrowOnFailure.WithQuietOnSuccess(true).WithMaxTest(5000)
            .WithReplay(Some { Rnd = Rnd(seed, 0x9E3779B97F4A7C15UL); Size = None })
    Check.One(config, Prop.forAll (Arb.fromGen anyHooks) holds)

let private names (hook: Hook) = hook.WaitsFor |> ValueOption.defaultValue []

let private find (hooks: Hook list) name = hooks |> List.find (fun hook -> hook.Name = name)

/// Whether some order puts every hook behind those it names: tried by brute force over what can be reached.
let private hasCycle (hooks: Hook list) =
    let rec reach from seen =
        names from |> List.fold (fun seen name -> if Set.contains name seen then seen else reach (find hooks name) (Set.add name seen)) seen
    hooks |> List.exists (fun hook -> (reach hook Set.empty).Contains hook.Name)

[<Fact>]
let ``what is arranged are the same hooks, each behind those it waits for`` () =
    forAllHooks (fun hooks ->
        match HookGraph.arrange hooks with
        | Error _ -> true
        | Ok arranged ->
            let at name = Array.findIndex (fun hook -> hook.Name = name) arranged
            List.sort hooks = List.sort (List.ofArray arranged)
            && hooks |> List.forall (fun hook -> names hook |> List.forall (fun name -> at name < at hook.Name)))

[<Fact>]
let ``hooks that name nobody keep their order, and so do all where none waits for a later one`` () =
    forAllHooks (fun hooks ->
        match HookGraph.arrange hooks with
        | Error _ -> true
        | Ok arranged ->
            let chain hooks = hooks |> List.filter _.WaitsFor.IsNone
            let forward =
                hooks |> List.indexed |> List.forall (fun (i, hook) ->
                    names hook |> List.forall (fun name -> List.findIndex (fun other -> other.Name = name) hooks < i))
            chain (List.ofArray arranged) = chain hooks && (not forward || List.ofArray arranged = hooks))

[<Fact>]
let ``each fault is named, and only what has none is arranged`` () =
    forAllHooks (fun hooks ->
        let known = hooks |> List.map _.Name
        let doubles = known |> List.countBy id |> List.filter (fun (_, n) -> n > 1) |> List.map (fst >> DoubleName)
        let strangers =
            [ for hook in hooks do
                  for name in names hook do
                      if not (List.contains name known) then UnknownName(hook.Name, name)
                      elif (find hooks name).Stage <> hook.Stage then OtherStage(hook.Name, name) ]
        match HookGraph.arrange hooks with
        | Ok _ -> doubles.IsEmpty && strangers.IsEmpty && not (hasCycle hooks)
        | Error [ Cycle circle ] ->
            doubles.IsEmpty && strangers.IsEmpty
            && not circle.IsEmpty
            && circle.Length = (List.distinct circle).Length
            && List.forall2
                (fun name next -> List.contains next (names (find hooks name)))
                circle
                (List.tail circle @ [ circle.Head ])
        | Error faults -> faults = doubles @ strangers)

[<Fact>]
let ``in an arranged policy a hook waits for whom it names, or for the chain before it`` () =
    forAllHooks (fun hooks ->
        match HookGraph.arrange hooks with
        | Error _ -> true
        | Ok arranged ->
            let policy = { wishless with Hooks = arranged }
            [ 0 .. arranged.Length - 1 ] |> List.forall (fun i -> HookGraph.predecessors arranged i = predecessors policy i))

[<Fact>]
let ``the longest way is that of hooks which all take their whole time`` () =
    forAllHooks (fun hooks ->
        match HookGraph.arrange hooks with
        | Error _ -> true
        | Ok arranged ->
            [ BeforeDrain; AfterDrain ] |> List.forall (fun stage ->
                let mine = arranged |> Array.indexed |> Array.filter (fun (_, hook) -> hook.Stage = stage) |> List.ofArray
                // Every path, one hook after the other.
                let rec longest i = arranged[i].TimeLimit.Ticks + (HookGraph.predecessors arranged i |> List.map longest |> List.fold max 0L)
                let all = mine |> List.map (fst >> longest) |> List.fold max 0L
                let chain = HookGraph.longestChain arranged stage
                HookGraph.longest arranged stage = TimeSpan all
                && (chain |> List.sumBy (fun i -> arranged[i].TimeLimit.Ticks)) = all
                && chain |> List.forall (fun i -> arranged[i].Stage = stage)
                && chain |> List.pairwise |> List.forall (fun (i, j) -> List.contains i (HookGraph.predecessors arranged j))))

[<Fact>]
let ``a cycle is named from one hook to the next`` () =
    let after names hook = { hook with WaitsFor = ValueSome names }
    let a, b, c = hook "a" BeforeDrain 1 |> after [ "c" ], hook "b" BeforeDrain 1 |> after [ "a" ], hook "c" BeforeDrain 1 |> after [ "b" ]
    Assert.Equal(Error [ Cycle [ "a"; "c"; "b" ] ], HookGraph.arrange [ a; b; c; hook "free" BeforeDrain 1 ])
    Assert.Equal(Error [ Cycle [ "b"; "a"; "c" ] ], HookGraph.arrange [ hook "late" BeforeDrain 1 |> after [ "b" ]; a; b; c ])
