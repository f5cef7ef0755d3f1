/// How far it is: one line that stays on a terminal, or one now and then in a file.
module Graceful.Soak.Progress

open System
open System.Diagnostics
open System.Threading
open Graceful.Core.Tests.Simulation

/// No life takes this long, unless a step does not come back.
let private patience = TimeSpan.FromSeconds 60L

let private group (n: int64) = n.ToString("N0", Globalization.CultureInfo.InvariantCulture)

let line (lives: Lives) wanted (elapsed: TimeSpan) =
    let done' = lives.Events
    let share = if wanted > 0L then 100.0 * float (min done' wanted) / float wanted else 0.0
    let pace = float done' / max 0.001 elapsed.TotalSeconds / 1e6
    $"{group done'} of {group wanted} events ({share:F0} %%), {pace:F2} million/s, {group lives.Lived} lives, {elapsed.TotalSeconds:F0} s"

/// Shows how it goes until all threads are done; false when one of them is stuck.
let follow (lives: Lives) wanted (workers: Thread[]) (watch: Stopwatch) =
    let onTerminal = not Console.IsOutputRedirected
    let rest = TimeSpan.FromSeconds(if onTerminal then 1.0 else 10.0)
    let mutable shown = watch.Elapsed
    let mutable stuck = false
    while not stuck && workers |> Array.exists _.IsAlive do
        workers |> Array.tryFind _.IsAlive |> Option.iter (fun w -> w.Join 100 |> ignore)
        let struct (_, longest) = lives.Longest
        stuck <- longest > patience
        if watch.Elapsed - shown >= rest then
            shown <- watch.Elapsed
            let text = line lives wanted watch.Elapsed
            if onTerminal then Console.Write("\r  " + text.PadRight 100) else Console.WriteLine("  " + text)
    if onTerminal then Console.Write("\r" + String(' ', 103) + "\r")
    not stuck
