/// The connection as a table that a newcomer can read. The walk in ConnectionTests proves more; this shows it.
module Graceful.Core.Tests.ConnectionTable

open Graceful.Core
open Xunit

let private after events =
    (Connection.initial, events)
    ||> List.fold (fun c event -> let struct (next, _) = Connection.step event c in next)

let private see expected connection =
    for event in ConnectionTests.events do
        let struct (next, effect) = Connection.step event connection
        let before = Connection.phase connection
        Assert.Equal((before, event, expected before event), (before, event, (Connection.phase next, effect)))

/// Nobody thinks of leaving; an Active connection has one request in flight.
let private inNormalLife phase event =
    match phase, event with
    | (New | Idle), (Begin | MarkInUse) -> Active, BecameActive
    | (New | Idle), (Reap | Shed) -> Closed, Close
    | (New | Idle), (End | Tell | MarkIdle | Retire) -> phase, Nothing
    | Active, (End | MarkIdle) -> Idle, BecameIdle
    | Active, (Retire | Reap) -> Active, AskToClose
    | Active, (Begin | Tell | MarkInUse | Shed) -> Active, Nothing
    | (New | Active | Idle), Hijack -> Hijacked, BecameHijacked
    | Hijacked, Retire -> Hijacked, AskToClose
    | Hijacked, (Begin | End | Tell | MarkInUse | MarkIdle | Hijack | Reap | Shed) -> Hijacked, Nothing
    | (New | Active | Idle | Hijacked), Abort -> Closed, Reset
    | (New | Active | Idle | Hijacked), (Disown | Ended) -> Closed, LeaveGate
    | Closed, (Begin | End | Tell | MarkInUse | MarkIdle | Hijack | Retire | Reap | Shed | Abort | Disown | Ended) -> Closed, Nothing

/// We are leaving, and the client does not know yet.
let private retiring phase event =
    match phase, event with
    | (New | Idle), Begin -> Active, AskToClose
    | (New | Idle), MarkInUse -> Active, BecameActive
    | (New | Idle), (Reap | Shed) -> Closed, Close
    | (New | Idle), (End | Tell | MarkIdle | Retire) -> phase, Nothing
    | Active, Begin -> Active, AskToClose
    | Active, End -> Idle, BecameIdle
    | Active, MarkIdle -> Closed, Close
    | Active, (Tell | MarkInUse | Retire | Reap | Shed) -> Active, Nothing
    | (New | Active | Idle), Hijack -> Hijacked, AskToClose
    | Hijacked, (Begin | End | Tell | MarkInUse | MarkIdle | Hijack | Retire | Reap | Shed) -> Hijacked, Nothing
    | (New | Active | Idle | Hijacked), Abort -> Closed, Reset
    | (New | Active | Idle | Hijacked), (Disown | Ended) -> Closed, LeaveGate
    | Closed, (Begin | End | Tell | MarkInUse | MarkIdle | Hijack | Retire | Reap | Shed | Disown) -> Closed, Nothing
    | Closed, Abort -> Closed, Reset
    | Closed, Ended -> Closed, LeaveGate

[<Fact>]
let ``in normal life`` () =
    see inNormalLife (after [])
    see inNormalLife (after [ Begin ])
    see inNormalLife (after [ Begin; End ])
    see inNormalLife (after [ Begin; Hijack ])
    see inNormalLife (after [ Begin; Ended ])
    see inNormalLife (after [ Begin; Disown ])

[<Fact>]
let ``once we are leaving`` () =
    see retiring (after [ Retire ])
    see retiring (after [ Begin; Retire ])
    see retiring (after [ Begin; End; Retire ])
    see retiring (after [ Retire; Begin; End ])
    see retiring (after [ Begin; Hijack; Retire ])
    see retiring (after [ Retire; Begin; Hijack ])
    see retiring (after [ Reap ])
    see retiring (after [ Shed ])

[<Fact>]
let ``once the client was told, its work is its last`` () =
    let told = after [ Begin; Retire; Tell ]
    Assert.Equal(struct (Active, Closed), struct (Connection.phase told, Connection.phase (after [ Begin; Tell; End ])))
    Assert.Equal(Nothing, (let struct (_, effect) = Connection.step Begin told in effect))
    Assert.Equal(Close, (let struct (_, effect) = Connection.step End told in effect))

/// A fixed bug: the notice was meant for a response, the upgrade swallowed it, and a WebSocket held the drain.
[<Fact>]
let ``a connection that upgrades after the notice is asked once more, in its new protocol`` () =
    for before in [ [ Retire; Begin ]; [ Begin; Retire ]; [ Begin; Retire; Tell ] ] do
        Assert.Equal(AskToClose, (let struct (_, effect) = Connection.step Hijack (after before) in effect))

[<Fact>]
let ``modes are tables from what a raw socket shows to events`` () =
    let meaning mode observation =
        match mode, observation with
        | (Manual | Automatic | Deadline), MarkedInUse -> ValueSome MarkInUse
        | (Manual | Automatic | Deadline), MarkedIdle -> ValueSome MarkIdle
        | Manual, BytesRead -> ValueNone
        | (Automatic | Deadline), BytesRead -> ValueSome MarkInUse
        | (Manual | Automatic), ReadDeadlineSet -> ValueNone
        | Deadline, ReadDeadlineSet -> ValueSome MarkIdle
    for mode in [ Manual; Automatic; Deadline ] do
        for observation in [ BytesRead; ReadDeadlineSet; MarkedInUse; MarkedIdle ] do
            Assert.Equal(meaning mode observation, Mode.interpret mode observation)
