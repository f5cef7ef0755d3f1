/// Whole lives in virtual time: the three machines, adapters that take turns, and clients of every temper.
module Graceful.Core.Tests.SimulationTests

open System
open System.Diagnostics
open System.Threading
open Graceful.Core.Tests
open Graceful.Core.Tests.Simulation
open Xunit

let private lives =
    match Environment.GetEnvironmentVariable "GRACEFUL_LIVES" with
    | null
    | "" -> 120_000
    | text -> Int32.Parse text

/// The first life of those with this remainder that breaks a rule, looking no further than `limit` says.
let private firstBroken (w: World) count stride remainder (limit: int ref) =
    let mutable life = remainder
    let mutable found: struct (int * string) voption = ValueNone
    while found.IsNone && life < count && life < Volatile.Read &limit.contents do
        w.Choices.Draw(LifecycleScript.seed, life)
        match Life.broken w with
        | ValueNone -> ()
        | ValueSome reason ->
            found <- ValueSome(struct (life, reason))
            Volatile.Write(&limit.contents, life)
        life <- life + stride
    found

let private describe (w: World) (struct (life, reason): struct (int * string)) =
    w.Choices.Draw(LifecycleScript.seed, life)
    Life.broken w |> ignore
    let choices = Shrink.shortest w reason w.Choices.Made
    $"{reason}\nGRACEFUL_SEED={LifecycleScript.seed}, life {life}; the shortest that breaks the same rule:\n{Shrink.tell w choices}"

[<Fact>]
let ``no life breaks a rule`` () =
    let watch = Stopwatch.StartNew()
    let threads = 2
    let limit = ref Int32.MaxValue
    let worlds = Array.init threads (fun _ -> World(Choices(), Tally()))
    let found: struct (int * string) voption[] = Array.create threads ValueNone
    let workers =
        [| for i in 0 .. threads - 1 ->
               Thread(fun () -> found[i] <- firstBroken worlds[i] lives threads i limit) |]
    workers |> Array.iter _.Start()
    workers |> Array.iter _.Join()
    // The lowest number, whichever thread came upon it: the same failure every time.
    match found |> Array.choose (function ValueSome broken -> Some broken | ValueNone -> None) |> Array.sort with
    | [||] -> ()
    | broken -> Assert.Fail(describe worlds[0] broken[0])
    let sum (of': Tally -> int64) = worlds |> Array.sumBy (fun w -> of' w.Tally)
    printfn
        $"Simulation: seed {LifecycleScript.seed}, {lives} lives, {sum _.Events} events, {watch.Elapsed.TotalSeconds:F1} s: \
{sum _.Clean} clean, {sum _.Forced} forced, {sum _.HandedOver} handed over, {sum _.IdledOut} idled out; \
{sum _.Served} served, {sum _.Told} told, {sum _.AdmittedRetiring} told at the gate, {sum _.Reaped} reaped, \
{sum _.Hastened} hastened, {sum _.Hijacked} hijacked, {sum _.Resets} reset, {sum _.Refused} refused, \
{sum _.RacedTheClose} raced the close, {sum _.CutAfterTheLook} cut after the look"
    // A simulation in which something never happens proves nothing about it; a few lives are only for a quick look.
    let kinds: (string * (Tally -> int64)) list =
        [ "clean", _.Clean
          "forced", _.Forced
          "handed over", _.HandedOver
          "idled out", _.IdledOut
          "told", _.Told
          "told at the gate", _.AdmittedRetiring
          "reaped", _.Reaped
          "hastened", _.Hastened
          "hijacked", _.Hijacked
          "reset", _.Resets
          "refused", _.Refused
          "raced the close", _.RacedTheClose
          "cut after the look", _.CutAfterTheLook ]
    for name, kind in kinds do
        Assert.True(lives < 10_000 || sum kind > int64 lives / 1000L, $"of {lives} lives hardly any was {name}")

[<Theory>]
[<InlineData(Planted.SweepBeforeGate)>]
[<InlineData(Planted.EnterBeforeRegister)>]
[<InlineData(Planted.ClosedTooSoon)>]
[<InlineData(Planted.HeadWithoutNotice)>]
[<InlineData(Planted.DeafToBytes)>]
let ``an adapter that makes a mistake is found out, in a short story`` (planted: Planted) =
    let w = World(Choices(), Tally(), Planted = planted)
    match firstBroken w 20_000 1 0 (ref Int32.MaxValue) with
    | ValueNone -> Assert.Fail $"nobody noticed {planted}"
    | ValueSome broken ->
        let story = describe w broken
        Assert.True(story.Split('\n').Length < 100, story)
