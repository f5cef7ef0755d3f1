/// One whole life of a server, from its start to its exit code, and what must be true at its end.
module Graceful.Core.Tests.Simulation.Life

open System
open Graceful.Core
open Graceful.Core.Tests

/// Nobody lives this long: who does waits for something that never comes.
let private longest = 30_000

/// The next actor: whoever is due first; among several a choice, for that is where the races are.
let private next (w: World) (server: Server) =
    let mutable due = Time.Never
    let mutable ties = 0
    let mutable chosen = -1
    for actor in 0 .. 6 + w.Count do
        let at = server.DueOf actor
        if at < due then
            due <- at
            ties <- 1
            chosen <- actor
        elif at = due && at <> Time.Never then
            ties <- ties + 1
    if ties > 1 then
        let mutable left = w.Pick ties
        chosen <- -1
        for actor in 0 .. 6 + w.Count do
            if chosen < 0 && server.DueOf actor = due then
                if left = 0 then chosen <- actor
                left <- left - 1
    w.Now <- max w.Now (if due = Time.Never then w.Now else due)
    if chosen < 0 || due >= Time.Done then -1 else chosen

let private judgeEnd (w: World) (server: Server) (plan: Plan) =
    let policy = plan.Policy
    let ms (t: TimeSpan) = int (t.Ticks / TimeSpan.TicksPerMillisecond)
    let code = LifecycleOracle.exitCode server.Trace
    if server.ExitCode <> code then w.Break $"exit code {server.ExitCode}, and what happened makes {code}"
    for i in 0 .. policy.Hooks.Length - 1 do
        let ran = server.HooksRun &&& (1 <<< i) <> 0
        if not ran && (policy.Hooks[i].Stage = AfterDrain || not w.Forced) then w.Break "a hook did not run"
    for i in 0 .. w.Count - 1 do
        if server.ExitCode = 0 && w.Peers[i].WasReset then w.Break "exit 0, and somebody was reset"
    if not w.Forced then
        if w.Inside > 0 then w.Break "it exited while somebody is inside, and nobody forced"
        if w.Emptied <> 1 then w.Break "it exited and the gate was never empty"
        for i in 0 .. w.Count - 1 do
            if w.Peers[i].InTable then w.Break "it exited while somebody is in the table, and nobody forced"
    let took = w.Now - server.StoppedAt
    let hooks = policy.Hooks |> Array.sumBy (fun hook -> if hook.Stage = AfterDrain then ms hook.TimeLimit + 10 else 0)
    match policy.GracePeriod with
    | ValueSome grace when took > ms grace + hooks + 40 -> w.Break $"it took {took} ms, with a grace period of {ms grace} ms"
    | ValueSome _
    | ValueNone -> ()
    if plan.Harmless then
        if server.ExitCode <> 0 then w.Break $"exit code {server.ExitCode}, though everybody behaved"
        if took > 1500 then w.Break $"it took {took} ms, though everybody behaved"

let private count (w: World) (server: Server) =
    if w.Forced then w.Tally.Forced <- w.Tally.Forced + 1L
    if server.ExitCode = 0 then w.Tally.Clean <- w.Tally.Clean + 1L
    match server.State with
    | Exited { Trigger = HandedOver } -> w.Tally.HandedOver <- w.Tally.HandedOver + 1L
    | Exited { Trigger = IdledOut } -> w.Tally.IdledOut <- w.Tally.IdledOut + 1L
    | _ -> ()

/// Lives the life that the choices of this world make; breaks off where a rule is broken.
let private live (w: World) =
    w.Reset()
    let struct (count', plan) = Plan.draw w.Choices w.Peers
    w.Count <- count'
    w.Quiet <- int (plan.Policy.QuietPeriod.Ticks / TimeSpan.TicksPerMillisecond)
    if w.Tracing then w.Say(Plan.describe plan)
    let server = Server(w, plan)
    while not server.HasExited do
        match next w server with
        | -1 -> w.Break "it waits for something that never comes"
        | actor ->
            w.Tick <- w.Tick + 1
            if w.Now > longest || w.Tick > 100_000 then w.Break "it never exits"
            server.Act actor
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
