/// useGraceful in front of a pipeline.
module GiraffeUser.Pipelines

open System
open System.Threading.Tasks
open Giraffe
open Graceful.Giraffe
open GiraffeUser.App
open Microsoft.AspNetCore.Builder
open Microsoft.AspNetCore.Http
open Microsoft.Extensions.DependencyInjection
open Xunit

[<Fact>]
let ``a request in flight is answered and told, and counted once`` () : Task =
    task {
        let door = Door()
        use! app = App.Start(id, pipeline = (useGraceful >=> choose [ route "/" >=> text "ok"; route "/door" >=> passes door ]))
        let! before = app.Get "/"
        Assert.Equal((200, "ok", false), (before.Status, before.Text, before.Told))
        let request = app.Get "/door"
        do! door.Reached
        Assert.Equal(1, requestsInFlight app.Services)
        app.Graceful.Close() |> ignore
        do! app.UntilDraining()
        Assert.False app.Graceful.Completion.IsCompleted
        door.Open()
        let! answer = soon request
        Assert.Equal((200, "ok, at last", true), (answer.Status, answer.Text, answer.Told))
        let! report = soon app.Graceful.Completion
        Assert.Equal((0, 1L, 0L), (report.ExitCode, report.RequestsFinished, report.ConnectionsAborted))
    }

[<Fact>]
let ``what no handler answers is left to others`` () : Task =
    task {
        use! app =
            App.Start(
                id,
                pipeline = (useGraceful >=> route "/mine" >=> text "mine"),
                map = fun host -> host.MapGet("/theirs", Func<string>(fun () -> "theirs")) |> ignore
            )

        let! mine = app.Get "/mine"
        let! theirs = app.Get "/theirs"
        let! nobodys = app.Get "/nobodys"
        Assert.Equal((200, "mine", 200, "theirs", 404), (mine.Status, mine.Text, theirs.Status, theirs.Text, nobodys.Status))
    }

[<Theory>]
[<InlineData("/graceful", "useGraceful")>]
[<InlineData("/ready", "readiness")>]
[<InlineData("/live", "liveness")>]
[<InlineData("/token", "")>]
let ``without AddGraceful a request fails with an error that names the missing call`` (path: string, who: string) : Task =
    task {
        let token: HttpHandler = fun next ctx -> text (string (stoppingToken ctx).IsCancellationRequested) next ctx

        use! app =
            App.Start(
                services = (fun services -> services.AddHealthChecks() |> ignore),
                pipeline =
                    choose
                        [ route "/" >=> text "ok"
                          route "/graceful" >=> useGraceful >=> text "ok"
                          route "/ready" >=> readiness
                          route "/live" >=> liveness
                          route "/token" >=> token ]
            )

        let! others = app.Get "/"
        Assert.Equal(200, others.Status)
        // Every time: what was not found is not kept.
        for _ in 1..2 do
            let! answer = app.Get path
            Assert.Equal(500, answer.Status)
        Assert.Contains("call builder.AddGraceful()", app.Errors)
        Assert.Contains(who, app.Errors)
    }

[<Fact>]
let ``a request that waits is told by its stopping token`` () : Task =
    task {
        let waits = Door()

        let poll: HttpHandler =
            fun next ctx ->
                task {
                    let! _ = Task.WhenAny(waits.Pass(), Task.Delay(-1, stoppingToken ctx))
                    return! text "no news" next ctx
                }

        use! app = App.Start(id, pipeline = (useGraceful >=> poll))
        let request = app.Get "/news"
        do! waits.Reached
        let! report = app.Leave()
        let! answer = soon request
        Assert.Equal((200, "no news"), (answer.Status, answer.Text))
        Assert.Equal(0, report.ExitCode)
    }

/// Counts how often a service is asked for.
type private Counting(services: IServiceProvider, asked: ResizeArray<Type>) =
    interface IServiceProvider with
        member _.GetService wanted =
            lock asked (fun () -> asked.Add wanted)
            services.GetService wanted

[<Fact>]
let ``a pipeline looks its services up at its first request and never again`` () : Task =
    task {
        use! app = App.Start id
        let asked = ResizeArray()
        // As Giraffe does: the handler is applied once, and the function it returns is called for every request.
        let func = (useGracefulWith (refuseLate TimeSpan.Zero) >=> choose [ route "/ready" >=> readiness; text "ok" ]) (Some >> Task.FromResult)

        let ask (path: string) =
            task {
                let context = DefaultHttpContext(RequestServices = Counting(app.Services, asked))
                context.Request.Path <- PathString path
                let! _ = func context
                ()
            }

        do! ask "/"
        do! ask "/ready"
        let first = asked.Count
        Assert.InRange(first, 1, 4)
        for _ in 1..100 do
            do! ask "/"
            do! ask "/ready"
        Assert.Equal(first, asked.Count)
    }

[<Fact>]
let ``hosts that share a pipeline in one process leave each for itself`` () : Task =
    task {
        let shared =
            useGracefulWith (refuseLate (TimeSpan.FromSeconds 7.0))
            >=> choose [ route "/" >=> text "ok"; route "/ready" >=> readiness ]

        use! leaving = App.Start(lameDuckForEver, pipeline = shared)
        use! staying = App.Start(lameDuckForEver, pipeline = shared)
        for app in [ leaving; staying ] do
            let! ok = app.Get "/"
            Assert.Equal(200, ok.Status)
            let! ready = app.Get "/ready"
            Assert.Equal(200, ready.Status)
        do! leaving.BeginLameDuck "/"
        let! refused = leaving.Get "/"
        let! served = staying.Get "/"
        let! ready = staying.Get "/ready"
        Assert.Equal((503, 200, 200), (refused.Status, served.Status, ready.Status))
        Assert.False served.Told
    }
