/// A real Giraffe application on loopback, as a user composes one.
module GiraffeUser.App

open Giraffe
open Graceful.Giraffe
open System
open System.Collections.Concurrent
open System.Diagnostics.Metrics
open System.Net
open System.Net.Http
open System.Net.Sockets
open System.Threading
open System.Threading.Tasks
open Microsoft.AspNetCore.Builder
open Microsoft.AspNetCore.Hosting
open Microsoft.AspNetCore.Hosting.Server
open Microsoft.AspNetCore.Hosting.Server.Features
open Microsoft.AspNetCore.Http
open Microsoft.AspNetCore.Http.Features
open Microsoft.Extensions.DependencyInjection
open Microsoft.Extensions.Hosting
open Microsoft.Extensions.Logging
open Xunit

/// How long anything may take before a test calls it hung. Generous: the machine may be busy.
let hang = TimeSpan.FromSeconds 20.0

let soon (work: Task<'T>) = work.WaitAsync hang

let soonDone (work: Task) = work.WaitAsync hang

/// Asks again and again, for what nobody announces.
let until (what: string) (holds: unit -> Task<bool>) =
    task {
        let limit = Environment.TickCount64 + int64 hang.TotalMilliseconds
        let mutable is = false

        while not is do
            let! now = holds ()
            is <- now
            Assert.True(is || Environment.TickCount64 < limit, $"Never came true: {what}.")
    }

/// As monitoring reads it.
let requestsInFlight (services: IServiceProvider) =
    use listener = new MeterListener()
    let requests = ref -1
    let meters = services.GetRequiredService<IMeterFactory>()

    listener.InstrumentPublished <-
        fun instrument listener ->
            if obj.ReferenceEquals(instrument.Meter.Scope, meters) && instrument.Name = "graceful.active_requests" then
                listener.EnableMeasurementEvents instrument

    listener.SetMeasurementEventCallback<int>(fun _ value _ _ -> requests.Value <- value)
    listener.Start()
    listener.RecordObservableInstruments()
    requests.Value

/// A place in the server's code where requests wait until the test opens it.
type Door() =
    let reached = TaskCompletionSource TaskCreationOptions.RunContinuationsAsynchronously
    let opened = TaskCompletionSource TaskCreationOptions.RunContinuationsAsynchronously

    member _.Reached = soonDone reached.Task

    member _.Open() = opened.TrySetResult() |> ignore

    member _.Pass() =
        reached.TrySetResult() |> ignore
        soonDone opened.Task

/// Keeps the errors that were logged.
type private Errors(into: ConcurrentQueue<string>) =
    interface ILoggerProvider with
        member _.CreateLogger _ =
            { new ILogger with
                member _.BeginScope _ = null
                member _.IsEnabled level = level >= LogLevel.Error
                member _.Log(level, _, state, error, format) =
                    if level >= LogLevel.Error then
                        into.Enqueue $"{format.Invoke(state, error)} {error}" }

        member _.Dispose() = ()

/// An answer, read to its end.
type Answer =
    { Status: int
      Text: string
      Told: bool
      Response: HttpResponseMessage }

type App private (host: WebApplication, errors: ConcurrentQueue<string>) =
    let port =
        lazy
            (let addresses = host.Services.GetRequiredService<IServer>().Features.GetRequiredFeature<IServerAddressesFeature>()
             BindingAddress.Parse(Seq.head addresses.Addresses).Port)

    let client = lazy new HttpClient(BaseAddress = Uri $"http://127.0.0.1:{port.Value}", Timeout = hang)

    member _.Errors = String.concat "\n" errors

    member _.Services = host.Services

    member _.Graceful = host.Services.GetRequiredService<IGraceful>()

    member _.Get(path: string) =
        task {
            use! response = client.Value.GetAsync path
            let! text = response.Content.ReadAsStringAsync()

            return
                { Status = int response.StatusCode
                  Text = text
                  Told = response.Headers.ConnectionClose = Nullable true
                  Response = response }
        }

    member app.Leave() =
        app.Graceful.Close() |> ignore
        soon app.Graceful.Completion

    /// Asks for the stop, and waits until clients are told.
    member app.BeginLameDuck path =
        app.Graceful.Close() |> ignore

        until "clients are told" (fun () ->
            task {
                let! answer = app.Get path
                return answer.Told
            })

    /// Waits until the listeners are closed, which they are after the hooks before the drain.
    member _.UntilDraining() =
        until "nobody is let in any more" (fun () ->
            task {
                use newcomer = new TcpClient()

                try
                    do! newcomer.ConnectAsync(IPAddress.Loopback, port.Value)
                    return false
                with :? SocketException ->
                    return true
            })

    static member Start(?settings, ?services: IServiceCollection -> unit, ?map: WebApplication -> unit, ?pipeline: HttpHandler) =
        task {
            let builder = WebApplication.CreateSlimBuilder()
            let errors = ConcurrentQueue()
            builder.Logging.ClearProviders().AddProvider(new Errors(errors)) |> ignore
            builder.WebHost.ConfigureKestrel(fun kestrel -> kestrel.Listen(IPAddress.Loopback, 0)) |> ignore
            builder.Services.AddGiraffe() |> ignore
            settings |> Option.iter (fun settings -> builder.Services |> addGraceful settings |> ignore)
            services |> Option.iter (fun add -> add builder.Services)
            let host = builder.Build()
            map |> Option.iter (fun map -> map host)
            pipeline |> Option.iter (fun pipeline -> host.UseGiraffe pipeline)
            do! soonDone (host.StartAsync())
            return new App(host, errors)
        }

    interface IAsyncDisposable with
        member _.DisposeAsync() =
            ValueTask(
                task {
                    if client.IsValueCreated then
                        client.Value.Dispose()
                    // What is still there is cut off: tests wait for what they want to see.
                    do! soonDone (host.StopAsync(CancellationToken true))
                    do! soonDone ((host :> IAsyncDisposable).DisposeAsync().AsTask())
                }
                :> Task
            )

/// A lame duck as long as any test: it goes on accepting, so that late requests on new connections can be seen.
let lameDuckForEver: GracefulOptions -> GracefulOptions = lameDuck hang

/// A request that waits at the door.
let passes (door: Door) : HttpHandler =
    fun next ctx ->
        task {
            do! door.Pass()
            return! text "ok, at last" next ctx
        }
