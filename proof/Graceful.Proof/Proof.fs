namespace Graceful.Proof

open System
open System.Diagnostics

/// What a walk came to.
type Outcome =
    { Configuration: Configuration
      States: int
      Transitions: int64
      /// How many steps the farthest state is away.
      Depth: int
      /// How many different values of the lifecycle there were among them.
      Lives: int
      Seconds: float
      /// Empty when every rule holds everywhere; else the rule, and the shortest way to where it is broken.
      Broken: (string * string list) option
      /// Whether the walk came to its end.
      Complete: bool }

/// Walks all that can be reached, breadth first, so that whatever breaks a rule is found by its shortest trace.
[<Sealed>]
type Proof(config: Configuration, tables: Tables, most: int, progress: int -> unit) =
    let model = Model(config, tables)
    let states = States model.Size
    let current: byte[] = Array.zeroCreate model.Size
    let watch = Stopwatch.StartNew()
    let mutable transitions = 0L

    let path index =
        let rec up index found = if index < 0 then found else up (states.Parent index) (index :: found)
        up index []

    /// Says how each state of a path led to the next. Told with every client under one name, so not as it was found:
    /// of clients that are alike the walk remembers only that there is one.
    let tell indices =
        let wanted: byte[] = Array.zeroCreate model.Size
        let mutable here = model.Initial
        let symmetric = model.Symmetric
        model.Symmetric <- false
        let words =
            [ for index in List.tail indices do
                  states.CopyTo(index, wanted)
                  let mutable found = None
                  try
                      model.Explain(here, fun name next ->
                          if found.IsNone then
                              let next = Array.copy next
                              if model.Canonical(next).AsSpan().SequenceEqual(wanted.AsSpan()) then found <- Some(name, next))
                  with Broken _ -> ()
                  match found with
                  | Some(name, next) ->
                      let from, into = model.Stage here, model.Stage next
                      here <- next
                      if from = into then name else $"{name}  [{from} -> {into}]"
                  | None -> "?" ]
        model.Symmetric <- symmetric
        words, here

    let walk () =
        let mutable index = 0
        let mutable depth = 0
        let mutable levelEnd = 1
        let mutable broken = None
        states.TryAdd(model.Initial, -1) |> ignore
        while broken.IsNone && index < states.Count && states.Count < most do
            if index = levelEnd then
                depth <- depth + 1
                levelEnd <- states.Count
            states.CopyTo(index, current)
            try
                model.Expand(current, fun next ->
                    transitions <- transitions + 1L
                    states.TryAdd(next, index) |> ignore)
            with Broken reason ->
                let words, here = tell (path index)
                let last = try (model.Explain(here, fun _ _ -> ()); "?") with Broken _ -> model.Name
                broken <- Some(reason, words @ [ last ])
            index <- index + 1
            if index &&& 0xFFFF = 0 then progress states.Count
        struct (depth, index = states.Count, broken)

    /// From every state after the stop, whatever happens next, the exit is reached, or the stop is undone: nobody gets stuck, and since no state
    /// comes back, nobody goes round in circles. Where all peers are polite that holds from the very start.
    let ends () =
        let concerns = if config.Polite then (fun _ -> true) else model.IsLeaving
        let pending: int[] = Array.zeroCreate states.Count
        let mutable stuck = -1
        let mutable concerned = 0
        for index in 0 .. states.Count - 1 do
            states.CopyTo(index, current)
            if concerns current then
                concerned <- concerned + 1
                let mutable ways = 0
                model.Expand(current, fun next ->
                    ways <- ways + 1
                    // Who comes back is no longer concerned.
                    if concerns next then
                        let there = states.Find next
                        pending[there] <- pending[there] + 1)
                if ways = 0 && not (model.IsOver current) && stuck < 0 then stuck <- index
            if index &&& 0xFFFF = 0 then progress states.Count
        if stuck >= 0 then
            Some("nothing more can happen, and it has not exited", fst (tell (path stuck)))
        else
            let ready = System.Collections.Generic.Stack<int>()
            for index in 0 .. states.Count - 1 do
                if pending[index] = 0 then
                    states.CopyTo(index, current)
                    if concerns current then ready.Push index
            let mutable gone = 0
            while ready.Count > 0 do
                let index = ready.Pop()
                gone <- gone + 1
                states.CopyTo(index, current)
                model.Expand(current, fun next ->
                    if concerns next then
                        let there = states.Find next
                        pending[there] <- pending[there] - 1
                        if pending[there] = 0 then ready.Push there)
                if gone &&& 0xFFFF = 0 then progress states.Count
            if gone = concerned then None
            else
                let circle = Seq.find (fun index -> pending[index] > 0) (seq { 0 .. states.Count - 1 })
                Some("it can go on for ever without an exit", fst (tell (path circle)))

    new(config, most, progress) = Proof(config, Tables(config, Rules.step), most, progress)

    member _.Run() =
        let struct (depth, complete, broken) = walk ()
        let broken = if broken.IsNone && complete then ends () else broken
        { Configuration = config
          States = states.Count
          Transitions = transitions
          Depth = depth
          Lives = model.Lives
          Seconds = watch.Elapsed.TotalSeconds
          Broken = broken
          Complete = complete }

    /// Every state that was found.
    member _.All =
        seq {
            for index in 0 .. states.Count - 1 do
                let state = Array.zeroCreate model.Size
                states.CopyTo(index, state)
                state
        }

    member _.Model = model
