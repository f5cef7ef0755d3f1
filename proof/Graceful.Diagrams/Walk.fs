/// Exhaustive walks: every state that a machine can reach, and every step it takes on the way.
module Graceful.Diagrams.Walk

open System.Collections.Generic

/// What happened to a machine once.
type Step<'state, 'event, 'effect> =
    { Before: 'state
      Event: 'event
      After: 'state
      Effects: 'effect list }

/// Every step from every state that can be reached from `first`, breadth first. A state that `within` refuses is not
/// entered, nor is the step to it taken.
let steps (step: 'event -> 'state -> 'state * 'effect list) (events: 'state -> 'event list) within (first: 'state) =
    let met = HashSet [ first ]
    let frontier = Queue [ first ]
    [ while frontier.Count > 0 do
          let before = frontier.Dequeue()
          for event in events before do
              let after, effects = step event before
              if within after then
                  if met.Add after then frontier.Enqueue after
                  { Before = before; Event = event; After = after; Effects = effects } ]
