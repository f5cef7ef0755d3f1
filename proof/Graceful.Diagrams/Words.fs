/// The names that the core itself gives to its events, orders and stages.
module Graceful.Diagrams.Words

open FSharp.Reflection

/// Reads the name of a case, without what it carries. Made once for a type, and then fast.
let caseOf<'union> =
    let names = FSharpType.GetUnionCases typeof<'union> |> Array.map _.Name
    let tag = FSharpValue.PreComputeUnionTagReader typeof<'union>
    fun (value: 'union) -> names[tag value]
