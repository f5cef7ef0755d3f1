/// The list of faults that `dotnet fsi build.fsx mutate` plants: it must fit the core as it is today.
module Graceful.Core.Tests.FaultList

open System
open System.IO
open Graceful.Proof
open Xunit

let private beside name = Path.Combine(AppContext.BaseDirectory, name)
let private faults = lazy Faults.read (beside "faults.txt")

[<Fact>]
let ``every planted fault still has its place in the core`` () =
    let core = File.ReadAllText(beside "Graceful.Core.fs")
    Assert.Empty(faults.Value |> List.choose (Faults.unfit core))
    Assert.True(faults.Value.Length >= 100)

[<Fact>]
let ``every planted fault has a name of its own`` () =
    let names = faults.Value |> List.map _.Name
    Assert.Equal<string list>(List.distinct names, names)
