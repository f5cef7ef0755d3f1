/// One whole life of a server, from its start to its exit code, and what must be true at its end.
module Graceful.Core.Tests.Simulation.Life

open System
open Graceful.Core
open Graceful.Core.Tests

/// Nobody lives this long: who does waits for something that never comes.
let private longest = 30_000

[<Literal>]
let private Nobody = -1

/// The connections' numbers begin behind those of the server's own actors.
[<Literal>]
let private Actors = 8

/// The server's actor at this place among those that are due.
let private dueActor (w: World) place =
    let mutable left = place
    let mutable actor = 0
    while left > 0 || w.DueOf(enum actor) > w.Now do
        if w.DueOf(enum actor) <= w.Now then left <- left - 1
        actor <- actor + 1
    actor

/// The next actor: whoever is due first; among several a choice, for that is where the races are.
let private next (w: World) =
    let serverDue = w.Soonest
    let limit = if serverDue = Time.Never then serverDue else max serverDue w.Now
    let peersDue = w.Wheel.GoOn limit
    if not peersDue && limit = Time.Never then Nobody
    else
        w.Now <- w.Wheel.Now
        let mutable actors = 0
        if serverDue <= w.Now then
            for actor in 0 .. Actors - 1 do
                if w.DueOf(enum actor) <= w.Now then actors <- actors + 1
        let all = actors + (if peersDue then w.Wheel.Ready else 0)
        // A choice is a byte; of a crowd that large the first are as good as any.
        let chosen = if all > 1 then w.Pick(min all 256) else 0
        if chosen < actors then dueActor w chosen else Actors + w.Wheel.At(chosen - actors)

let private ms (t: TimeSpan) = int (t.Ticks / TimeSpan.TicksPerMillisecond)

/// No longer than the grace period and the after-drain hooks, and what the adapters themselves
/// take: a turn for every order and connection, and timers that are late.
let private judgeTime (w: World) (server: Server) (plan: Plan) =
    let policy = plan.Policy
    let took = server.ExitedAt - server.StoppedAt
    let hooks = ms (HookGraph.longest policy.Hooks AfterDrain) + policy.Hooks.Length * (10 + plan.Late)
    let slack = 40 + plan.Late + w.Count / 8
    match policy.GracePeriod with
    | ValueSome grace when took > ms grace + hooks + slack -> w.Break $"it took {took} ms, with a grace period of {ms grace} ms"
    | ValueSome _
    | ValueNone -> ()
    if plan.Harmless && took > 1500 then w.Break $"it took {took} ms, though everybody behaved"

/// Every signal on the way out, against when it had to force.
let private judgeKicks (w: World) (trace: Trace) =
    let cuts order = (match order with AbortConnections | CancelHook _ | Terminate _ -> true | _ -> false)
    for step, forces in LifecycleOracle.kicks trace do
        match step.Before with
        | Running _
        | IdleExpired
        | Drilling _ -> ()
        | Draining _
        | Hooks _
        | Exited _ ->
            if List.exists cuts step.Orders <> forces then
                w.Break(if forces then "a second signal did not force" else "a signal forced that was not a second one in time")

let private judgeEnd (w: World) (server: Server) (plan: Plan) =
    Rules.whole w
    let code = LifecycleOracle.exitCode server.Trace
    if server.ExitCode <> code then w.Break $"exit code {server.ExitCode}, and what happened makes {code}"
    judgeKicks w server.Trace
    match server.State with
    | Exited s when List.sort s.Troubles = List.sort (LifecycleOracle.troubles server.Trace) -> ()
    | _ -> w.Break "what is remembered as trouble is not what went wrong"
    for i in 0 .. plan.Policy.Hooks.Length - 1 do
        let ran = server.HooksRun &&& (1 <<< i) <> 0
        if not ran && (plan.Policy.Hooks[i].Stage = AfterDrain || not w.Forced) then w.Break "a hook did not run"
    for i in 0 .. w.Count - 1 do
        if server.ExitCode = 0 && w.Peers[i].WasReset then w.Break "exit 0, and somebody was reset"
    if w.Forced then
        match Gate.step Enter w.Gate with
        | struct (_, Refuse) -> ()
        | _ -> w.Break "forced, and the gate still lets people in"
    else
        if w.Inside > 0 then w.Break "it exited while somebody is inside, and nobody forced"
        if w.Emptied <> 1 then w.Break "it exited and the gate was never empty"
        for i in 0 .. w.Count - 1 do
            if w.Peers[i].InTable then w.Break "it exited while somebody is in the table, and nobody forced"
    judgeTime w server plan
    if plan.Harmless && server.ExitCode <> 0 then w.Break $"exit code {server.ExitCode}, though everybody behaved"

let private countTrouble (tally: Tally) trouble =
    match trouble with
    | Forced GracePeriodOver -> tally.Count Happening.GracePeriodOver
    | Forced SecondSignal -> tally.Count Happening.SecondSignal
    | Forced HostTimedOut -> tally.Count Happening.HostTimedOut
    | Forced StopNow -> tally.Count Happening.StoppedNow
    | Forced HookFailed -> tally.Count Happening.ForcedByAHook
    | HookTrouble(_, Failed _) -> tally.Count Happening.HookFailed
    | HookTrouble(_, TimedOut) -> tally.Count Happening.HookTimedOut
    | HookTrouble(_, Cancelled) -> tally.Count Happening.HookCancelled
    | HookTrouble(_, Skipped) -> tally.Count Happening.HookSkipped
    | HookTrouble(_, Succeeded) -> ()
    | ComponentTrouble _ -> tally.Count Happening.ComponentFailed

let private count (w: World) (server: Server) =
    let tally = w.Tally
    match server.State with
    | Exited s ->
        s.Troubles |> List.iter (countTrouble tally)
        match s.Trigger with
        | Signal _ -> tally.Count Happening.StoppedBySignal
        | Requested -> tally.Count Happening.StoppedOnRequest
        | HostStopped -> tally.Count Happening.StoppedByHost
        | IdledOut -> tally.Count Happening.IdledOut
        | HandedOver -> tally.Count Happening.HandedOver
        | ConnectionEnded -> tally.Count Happening.ConnectionEnded
        | ComponentFailed _ -> tally.Count Happening.StoppedByAFailure
    | Running _ | IdleExpired | Drilling _ | Draining _ | Hooks _ -> ()
    match server.ExitCode with
    | 0 -> tally.Count Happening.ExitedClean
    | 1 -> tally.Count Happening.ExitedWithAFailedHook
    | 2 -> tally.Count Happening.ExitedWithWorkCutOff
    | _ -> tally.Count Happening.ExitedOnASecondSignal
    for i in 0 .. w.Count - 1 do
        match w.Peers[i].Manner with
        | Polite -> tally.Count Happening.PoliteMet
        | Leaver -> tally.Count Happening.LeaverMet
        | Endless -> tally.Count Happening.EndlessMet
        | Stuck -> tally.Count Happening.StuckMet
        | HalfHead -> tally.Count Happening.HalfHeadMet
        | Mute -> tally.Count Happening.MuteMet

let private settle (w: World) =
    w.Reset()
    let struct (count, plan) = Plan.draw w.Choices w.Peers
    w.Count <- count
    w.Quiet <- ms plan.Policy.QuietPeriod
    w.Stutters <- plan.Stutters
    w.HijackedIsBusy <- plan.HijackedIsBusy
    for i in 0 .. count - 1 do
        w.Reschedule w.Peers[i]
    if w.Tracing then w.Say(Plan.describe plan)
    plan

/// Lives the life that the choices of this world make; breaks off where a rule is broken.
let private live (w: World) =
    let plan = settle w
    let server = Server(w, plan)
    let most = 100_000 + 4_000 * w.Count
    let mutable isOver = false
    while not isOver do
        match next w with
        | Nobody when server.HasExited -> isOver <- true
        | Nobody -> w.Break "it waits for something that never comes"
        | actor ->
            w.Tick <- w.Tick + 1
            w.Tally.Count Happening.TurnTaken
            if w.Now > longest || w.Tick > most then w.Break "it never exits"
            if actor < Actors then server.Act(enum actor) else server.ActFor w.Peers[actor - Actors]
            isOver <- server.IsGone
    judgeEnd w server plan
    count w server

/// The rule that the life breaks, if it breaks one. A machine that throws breaks the first of them.
let broken w =
    try
        live w
        ValueNone
    with
    | Broken reason -> ValueSome reason
    | thrown -> ValueSome $"a step threw {thrown.GetType().Name}: {thrown.Message}"
