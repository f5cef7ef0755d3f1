namespace Graceful.Giraffe

open System
open System.Threading
open Graceful
open Microsoft.AspNetCore.Http
open Microsoft.Extensions.DependencyInjection

/// What is looked up at the first request of a pipeline, and kept for it. Giraffe applies a handler once an application, so
/// several hosts in a process have one each. Any thread: who comes first looks it up, and whoever comes at the same time finds the same.
[<Sealed>]
type internal Once<'T when 'T: not struct and 'T: not null>(find: HttpContext -> 'T) =
    let mutable found: 'T | null = null

    member _.For context =
        match Volatile.Read &found with
        | null ->
            let it = find context
            Volatile.Write(&found, it)
            it
        | it -> it

module internal Application =

    /// The way out of the application that serves this request.
    let graceful (who: string) (context: HttpContext) : IGraceful =
        match context.RequestServices.GetService<IGraceful>() with
        | null ->
            raise (
                InvalidOperationException
                    $"{who} needs AddGraceful: call builder.AddGraceful(), or builder.Services |> addGraceful id, before the application is built."
            )
        | graceful -> graceful
