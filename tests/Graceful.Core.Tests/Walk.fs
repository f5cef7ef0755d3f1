/// Exhaustive walks: a small space is enumerated rather than sampled, so a property of it is a proof.
module Graceful.Core.Tests.Walk

open System.Collections.Generic
open Xunit

/// Every state that can be reached from `first` by events, in the order in which they were found (breadth first),
/// each with the shortest list of events that leads to it. A state that `within` refuses is not entered.
let reach (step: 'event -> 'state -> 'state) (events: 'event list) within (first: 'state) =
    let paths = Dictionary<'state, 'event list>()
    let frontier = Queue<'state>()
    paths.Add(first, [])
    frontier.Enqueue first
    while frontier.Count > 0 do
        let state = frontier.Dequeue()
        for event in events do
            let next = step event state
            if within next && not (paths.ContainsKey next) then
                paths.Add(next, event :: paths[state])
                frontier.Enqueue next
    [ for pair in paths -> pair.Key, List.rev pair.Value ]

[<Fact>]
let ``a walk finds everything within its bounds`` () =
    let found = reach (fun by n -> n + by) [ 1; 2 ] (fun n -> n <= 4) 0
    Assert.Equal<(int * int list) list>([ 0, []; 1, [ 1 ]; 2, [ 2 ]; 3, [ 1; 2 ]; 4, [ 2; 2 ] ], found)
