/// A server that keeps its connections to itself.
module GiraffeUser.OtherServers

open System
open System.Net.Http
open System.Threading.Tasks
open Giraffe
open Graceful.Giraffe
open GiraffeUser.App
open Microsoft.AspNetCore.Builder
open Microsoft.AspNetCore.TestHost
open Microsoft.Extensions.DependencyInjection
open Microsoft.Extensions.Logging
open Xunit

[<Fact>]
let ``on a TestServer a request is waited for, told on its response, and counted once`` () : Task =
    task {
        let door = Door()
        let builder = WebApplication.CreateSlimBuilder()
        builder.Logging.ClearProviders() |> ignore
        builder.WebHost.UseTestServer() |> ignore
        builder.Services.AddGiraffe() |> addGraceful id |> ignore
        let app = builder.Build()

        app.UseGiraffe(
            useGracefulWith (refuseLate (TimeSpan.FromSeconds 3.0))
            >=> choose [ route "/" >=> text "ok"; route "/door" >=> passes door ]
        )

        do! soonDone (app.StartAsync())
        use client = app.GetTestClient()
        let request = client.GetAsync "/door"
        do! door.Reached
        Assert.Equal(1, requestsInFlight app.Services)
        let graceful = app.Services.GetRequiredService<IGraceful>()
        graceful.Close() |> ignore
        use! late = client.GetAsync "/"
        Assert.Equal((503, "3"), (int late.StatusCode, string late.Headers.RetryAfter))
        do! until "clients are told" (fun () ->
            task {
                use! late = client.GetAsync "/"
                return late.Headers.ConnectionClose = Nullable true
            })
        Assert.False graceful.Completion.IsCompleted
        door.Open()
        use! answer = soon request
        let! words = answer.Content.ReadAsStringAsync()
        Assert.Equal((200, "ok, at last", Nullable true), (int answer.StatusCode, words, answer.Headers.ConnectionClose))
        let! report = soon graceful.Completion
        Assert.Equal((0, 0L), (report.ExitCode, report.ConnectionsAborted))
        do! soonDone (app.StopAsync())
        do! soonDone ((app :> IAsyncDisposable).DisposeAsync().AsTask())
    }
