/// The walk through every reachable state, in configurations small enough for every test run, and the proof that the
/// walk would find what it looks for.
module Graceful.Core.Tests.ProofTests

open System
open System.Collections.Generic
open Graceful.Core
open Graceful.Proof
open Xunit

let private walk config = Proof(config, 5_000_000, ignore)

let private named name = Configuration.small |> List.find (fun c -> c.Name = name)

let configurations () = TheoryData<string>(Configuration.small |> Seq.map _.Name)

let private fails reason trace =
    let lines = trace |> List.mapi (fun i line -> $"{i + 1, 4}  {line}") |> String.concat "\n"
    Assert.Fail $"{reason}\n{lines}"

[<Theory; MemberData(nameof configurations)>]
let ``every rule holds in every state, and every way out ends`` (name: string) =
    let outcome = (walk (named name)).Run()
    outcome.Broken |> Option.iter (fun (reason, trace) -> fails reason trace)
    Assert.True(outcome.Complete, "the walk was given up")
    Assert.True(outcome.States > 100, "hardly anything was walked")

/// Each with a configuration in which it matters.
let private mistakes: (Mistake * string * string list) list =
    [ Mistake.SweepBeforeGate, "two clients", [ "missed the notice" ]
      Mistake.EnterBeforeRegister, "two clients", [ "missed the notice"; "request was neither answered nor aborted" ]
      Mistake.ClosedTooSoon, "two clients", [ "it exits while somebody is inside"; "refused though nobody forced" ]
      Mistake.AdmittedUntold, "lame duck", [ "missed the notice" ]
      Mistake.DeafToBytes, "two clients", [ "was cut" ]
      Mistake.LeavesTwice, "two clients", [ "Emptied while somebody is inside" ]
      Mistake.OrdersBackwards, "two clients", [ "" ]
      Mistake.TakesFromSuccessor, "hand-over", [ "belongs to the successor" ]
      Mistake.Sleeps, "two clients", [ "it has not exited" ] ]

let planted () = TheoryData<Mistake>(mistakes |> Seq.map (fun (mistake, _, _) -> mistake))

[<Theory; MemberData(nameof planted)>]
let ``a mistake in an adapter is found, with a trace that says how`` (mistake: Mistake) =
    let _, name, reasons = mistakes |> List.find (fun (m, _, _) -> m = mistake)
    match ((walk { named name with Mistake = mistake }).Run()).Broken with
    | None -> Assert.Fail $"nobody noticed {mistake}"
    | Some(reason, trace) ->
        Assert.True(reasons |> List.exists (fun (part: string) -> reason.Contains part), $"another rule was broken: {reason}")
        Assert.NotEmpty trace
        Assert.DoesNotContain("?", trace)

[<Fact>]
let ``every mistake that can be planted is tried`` () =
    let tried = mistakes |> List.map (fun (m, _, _) -> m)
    Assert.Equal<Mistake list>(List.sort (Mistake.None :: tried), Enum.GetValues<Mistake>() |> List.ofArray |> List.sort)

[<Theory; InlineData("two clients"); InlineData("polite, and without a grace period")>]
let ``clients that are alike may change places`` (name: string) =
    let config = named name
    // One set of tables, so that a number means the same in both walks.
    let tables = Tables(config, Rules.step)
    let reduced = Proof(config, tables, 5_000_000, ignore)
    let whole = Proof(config, tables, 5_000_000, ignore)
    whole.Model.Symmetric <- false
    let fewer, all = reduced.Run(), whole.Run()
    Assert.True(fewer.Complete && all.Complete)
    Assert.True(all.States > fewer.States, "nothing was reduced")
    let found = HashSet(reduced.All |> Seq.map Convert.ToHexString)
    let canonical = HashSet(whole.All |> Seq.map (whole.Model.Canonical >> Convert.ToHexString))
    Assert.True(found.SetEquals canonical, $"{found.Count} states with the reduction, {canonical.Count} without")

[<Theory; InlineData("two hooks"); InlineData("lame duck"); InlineData("idle expiry and hand-over"); InlineData("four hooks and nobody there")>]
let ``orders that concern nobody else may be obeyed at once`` (name: string) =
    let reduced = walk (named name)
    let whole = walk (named name)
    whole.Model.Reduced <- false
    Assert.True((reduced.Run()).Complete && (whole.Run()).Complete)
    let ends (proof: Proof) = proof.All |> Seq.filter proof.Model.IsOver |> Seq.map proof.Model.Ending |> HashSet
    let mine, theirs = ends reduced, ends whole
    Assert.True(mine.SetEquals theirs, $"{mine.Count} endings with the reduction, {theirs.Count} without")
    Assert.True(Seq.length whole.All > Seq.length reduced.All, "nothing was reduced")
