/// readiness and liveness, beside MapGracefulHealth.
module GiraffeUser.Health

open System.Net.Http
open System.Threading.Tasks
open Giraffe
open Graceful.Giraffe
open GiraffeUser.App
open Microsoft.AspNetCore.Builder
open Microsoft.AspNetCore.Http
open Microsoft.Extensions.DependencyInjection
open Microsoft.Extensions.Diagnostics.HealthChecks
open Xunit

let private pipeline =
    useGraceful >=> choose [ route "/ready" >=> readiness; route "/live" >=> liveness; route "/" >=> text "ok" ]

let private start services =
    App.Start(lameDuckForEver, services, (fun host -> host.MapGracefulHealth() |> ignore), pipeline)

[<Fact>]
let ``readiness fails from the way out on and liveness holds, word for word as MapGracefulHealth answers`` () : Task =
    task {
        use! app = start ignore

        let both path other =
            task {
                let! ours = app.Get path
                let! theirs = app.Get other
                Assert.Equal((theirs.Status, theirs.Text), (ours.Status, ours.Text))
                let headers (answer: Answer) =
                    [ for header in Seq.append answer.Response.Headers answer.Response.Content.Headers do
                          if header.Key <> "Date" then
                              header.Key, String.concat "," header.Value ]
                Assert.Equal<(string * string) list>(headers theirs, headers ours)
                return ours.Status, ours.Text
            }

        let! ready = both "/ready" "/health/ready"
        let! live = both "/live" "/health/live"
        Assert.Equal(((200, "Healthy"), (200, "Healthy")), (ready, live))
        do! app.BeginLameDuck "/"
        let! ready = both "/ready" "/health/ready"
        let! live = both "/live" "/health/live"
        Assert.Equal(((503, "Unhealthy"), (200, "Healthy")), (ready, live))
    }

[<Fact>]
let ``checks of the application take part by their tags`` () : Task =
    task {
        let add name result (tag: string) (services: IServiceCollection) =
            services.AddHealthChecks().AddCheck(name, (fun () -> result), [ tag ]) |> ignore

        use! app =
            start (fun services ->
                services |> add "cache" (HealthCheckResult.Degraded()) "ready"
                services |> add "deadlock" (HealthCheckResult.Unhealthy()) "live")

        let! ready = app.Get "/ready"
        let! live = app.Get "/live"
        Assert.Equal((200, "Degraded", 503, "Unhealthy"), (ready.Status, ready.Text, live.Status, live.Text))
    }

/// A check that takes as long as the test likes.
let private waitsAt (door: Door) (tag: string) (services: IServiceCollection) =
    services
        .AddHealthChecks()
        .AddAsyncCheck(
            "slow",
            (fun () ->
                task {
                    do! door.Pass()
                    return HealthCheckResult.Healthy()
                }),
            [ tag ]
        )
    |> ignore

[<Theory>]
[<InlineData("/ready", "ready")>]
[<InlineData("/live", "live")>]
let ``a probe in flight is not counted, and the drain does not wait for it`` (path: string, tag: string) : Task =
    task {
        let door = Door()
        use! app = App.Start(id, waitsAt door tag, pipeline = pipeline)
        let probe = app.Get path
        do! door.Reached
        Assert.Equal(0, requestsInFlight app.Services)
        let! report = app.Leave()
        Assert.Equal((ShutdownOutcome.Clean, 0L, 0L), (report.Outcome, report.RequestsFinished, report.RequestsLetGo))
        let! _ = Assert.ThrowsAnyAsync<HttpRequestException>(fun () -> soonDone probe)
        door.Open()
    }

[<Fact>]
let ``what comes after a probe on its connection counts again`` () : Task =
    task {
        let door = Door()
        use! app = App.Start(id, pipeline = choose [ pipeline; route "/door" >=> passes door ])
        let! ready = app.Get "/ready"
        Assert.Equal(200, ready.Status)
        let request = app.Get "/door"
        do! door.Reached
        Assert.Equal(1, requestsInFlight app.Services)
        door.Open()
        let! answer = soon request
        Assert.Equal(200, answer.Status)
    }

[<Fact>]
let ``a probe that has an endpoint is what that says of it`` () : Task =
    task {
        let door = Door()
        let serve = RequestDelegate(fun ctx -> readiness (Some >> Task.FromResult) ctx)
        let map (host: WebApplication) = host.MapGet("/own", serve).WithDrain DrainMode.MustFinish |> ignore
        use! app = App.Start(id, waitsAt door "ready", map)
        let probe = app.Get "/own"
        do! door.Reached
        Assert.Equal(1, requestsInFlight app.Services)
        door.Open()
        let! answer = soon probe
        Assert.Equal((200, "Healthy"), (answer.Status, answer.Text))
    }
