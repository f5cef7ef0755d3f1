// The smallest graceful Giraffe server. Load it, press Ctrl+C, and nobody who asked goes without an answer.
//   --port P            where to listen on 127.0.0.1 (default 5000)
//   --refuse 00:00:05   late requests get 503 and this Retry-After, instead of being served
//   any Graceful option: --GracePeriod 00:00:01, --LameDuck 00:00:00.5 ...
module Hello.Program

open System
open System.Net
open System.Threading.Tasks
open Giraffe
open Graceful.Giraffe
open Microsoft.AspNetCore.Builder
open Microsoft.AspNetCore.Hosting
open Microsoft.Extensions.Configuration
open Microsoft.Extensions.Logging

let slow: HttpHandler =
    fun next ctx ->
        task {
            do! Task.Delay(int (string ctx.Request.Query["ms"]), ctx.RequestAborted)
            return! text "ok, at last" next ctx
        }

/// A long poll: there is never any news, and half a minute later, or when the server leaves, it says so.
let news: HttpHandler =
    fun next ctx ->
        task {
            let! _ = Task.WhenAny(Task.Delay(TimeSpan.FromSeconds 30.0, stoppingToken ctx))
            return! text "no news" next ctx
        }

let webApp late : HttpHandler =
    useGracefulWith (late >> exceptPath "/health")
    >=> choose
            [ route "/" >=> text "ok"
              route "/slow" >=> slow
              route "/news" >=> news
              route "/health/ready" >=> readiness
              route "/health/live" >=> liveness ]

[<EntryPoint>]
let main args =
    let builder = WebApplication.CreateSlimBuilder args
    let configuration = builder.Configuration
    builder.Logging.AddFilter("Microsoft.AspNetCore", LogLevel.Warning) |> ignore
    let port = match configuration["port"] with null -> 5000 | port -> int port
    builder.WebHost.ConfigureKestrel(fun kestrel -> kestrel.Listen(IPAddress.Loopback, port)) |> ignore

    builder.Services.AddGiraffe()
    |> addGraceful (
        (fun options ->
            configuration.Bind options
            options)
        >> onDrained "goodbye" (TimeSpan.FromSeconds 5.0) (fun reason _ -> task { printfn $"Goodbye, after {reason}." })
    )
    |> ignore

    let late =
        match configuration["refuse"] with
        | null -> serveLate
        | retryAfter -> refuseLate (TimeSpan.Parse retryAfter)

    let app = builder.Build()
    app.UseGiraffe(webApp late)
    app.Run()
    // Not 0: it tells how the way out went.
    Environment.ExitCode
