/// Requests that come when the way out has begun.
module GiraffeUser.LateComers

open System
open System.Threading.Tasks
open Giraffe
open Graceful.Giraffe
open GiraffeUser.App
open Xunit

let private pipeline late (door: Door) =
    useGracefulWith late
    >=> choose
            [ route "/" >=> text "ok"
              route "/door" >=> passes door
              route "/health" >=> text "alive"
              route "/health/live" >=> liveness
              route "/healthy" >=> text "food"
              route "/admin" >=> text "hello, admin" ]

/// The status of each path, in order.
let private statuses (app: App) paths =
    task {
        let found = ResizeArray()
        for path in paths do
            let! answer = app.Get path
            found.Add answer.Status
        return List.ofSeq found
    }

[<Fact>]
let ``they are served by default, and told to go elsewhere`` () : Task =
    task {
        use! app = App.Start(lameDuckForEver, pipeline = pipeline id (Door()))
        do! app.BeginLameDuck "/"
        let! late = app.Get "/"
        Assert.Equal((200, "ok", true), (late.Status, late.Text, late.Told))
    }

[<Theory>]
[<InlineData(5000.0, "5")>]
[<InlineData(4200.0, "5")>]
[<InlineData(0.0, "0")>]
[<InlineData(86400000.0, "86400")>]
let ``refused, they get 503 with Retry-After in whole seconds, and are told`` (milliseconds: float, retryAfter: string) : Task =
    task {
        use! app = App.Start(lameDuckForEver, pipeline = pipeline (refuseLate (TimeSpan.FromMilliseconds milliseconds)) (Door()))
        let! early = app.Get "/"
        Assert.Equal((200, "ok"), (early.Status, early.Text))
        do! app.BeginLameDuck "/"
        let! late = app.Get "/"
        Assert.Equal((503, "The server is leaving. Please try again.", true), (late.Status, late.Text, late.Told))
        Assert.Equal<string>([ retryAfter ], late.Response.Headers.GetValues "Retry-After")
        Assert.Equal("text/plain; charset=utf-8", string late.Response.Content.Headers.ContentType)
    }

[<Fact>]
let ``they are refused from the first moment, and those that came before it are served`` () : Task =
    task {
        let door = Door()
        let held = TaskCompletionSource()

        use! app =
            App.Start(
                onStopping "held" hang (fun _ token -> held.Task.WaitAsync token),
                pipeline = pipeline (refuseLate TimeSpan.Zero) door
            )

        let early = app.Get "/door"
        do! door.Reached
        Assert.True(app.Graceful.Close())
        // The hook before the drain has the way out stand still: nobody is told yet, and nothing is closed.
        let! late = app.Get "/"
        Assert.Equal(503, late.Status)
        door.Open()
        let! answer = soon early
        Assert.Equal((200, "ok, at last"), (answer.Status, answer.Text))
        held.SetResult()
        let! report = soon app.Graceful.Completion
        Assert.Equal((0, 0L), (report.ExitCode, report.ConnectionsAborted))
    }

[<Fact>]
let ``exceptions are served, whichever way round they were said`` () : Task =
    task {
        let isAdmin (ctx: Microsoft.AspNetCore.Http.HttpContext) = ctx.Request.Path.Value = "/admin"
        let refuse = refuseLate (TimeSpan.FromSeconds 1.0)
        for late in
            [ refuse >> exceptPath "/health" >> exceptWhen isAdmin
              exceptWhen isAdmin >> exceptPath "/health/" >> refuse ] do
            use! app = App.Start(lameDuckForEver, pipeline = pipeline late (Door()))
            do! app.BeginLameDuck "/"
            let! found = statuses app [ "/"; "/health"; "/health/live"; "/HEALTH/none"; "/healthy"; "/admin" ]
            Assert.Equal<int list>([ 503; 200; 200; 404; 503; 200 ], found)
    }

[<Fact>]
let ``serveLate takes refuseLate back, and exceptPath "/" excepts all`` () : Task =
    task {
        let refuse = refuseLate (TimeSpan.FromSeconds 1.0)
        for late in [ refuse >> serveLate; refuse >> exceptPath "/" ] do
            use! app = App.Start(lameDuckForEver, pipeline = pipeline late (Door()))
            do! app.BeginLameDuck "/"
            let! found = statuses app [ "/"; "/admin" ]
            Assert.Equal<int list>([ 200; 200 ], found)
    }

[<Theory>]
[<InlineData(-1L)>]
[<InlineData(864000000001L)>]
let ``a time to come back that makes no sense is refused where it is said`` (ticks: int64) =
    let error =
        Assert.Throws<ArgumentOutOfRangeException>(fun () -> useGracefulWith (refuseLate (TimeSpan ticks)) |> ignore)

    Assert.Contains($"refuseLate was given {TimeSpan ticks}; allowed is between zero and 1.00:00:00.", error.Message)

[<Theory>]
[<InlineData("health")>]
[<InlineData("")>]
[<InlineData(null)>]
let ``a path without a slash is refused where it is said`` (path: string) =
    let error = Assert.Throws<ArgumentException>(fun () -> useGracefulWith (exceptPath path) |> ignore)
    Assert.Contains($"exceptPath was given '{path}'; allowed is a path that begins with a slash.", error.Message)
