/// readiness and liveness, beside MapGracefulHealth.
module GiraffeUser.Health

open System.Threading.Tasks
open Giraffe
open Graceful.Giraffe
open GiraffeUser.App
open Microsoft.AspNetCore.Builder
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
