namespace Graceful.Packages.Tests;

/// <summary>What a user does who has never heard of this repository.</summary>
public sealed class FreshApps
{
    [Fact]
    public async Task One_in_CSharp_loses_nothing()
    {
        using var app = new FreshApp();
        await app.BuildAsync(
            "Fresh.csproj",
            "",
            "Program.cs",
            """
            var builder = WebApplication.CreateBuilder(args);
            builder.AddGraceful(options => options.OnDrained("goodbye", TimeSpan.FromSeconds(5), (reason, token) =>
            {
                Console.WriteLine($"Goodbye after {reason}");
                return Task.CompletedTask;
            }));
            var app = builder.Build();
            app.MapGet("/", () => "ok");
            app.MapGet("/slow", async (int ms, CancellationToken aborted) =>
            {
                await Task.Delay(ms, aborted);
                return "ok, at last";
            });
            app.MapGracefulHealth();
            app.Run();
            """,
            "Graceful.CSharp");
        var said = await app.ProbeAsync();
        Assert.Contains("Goodbye after SIGTERM", said, StringComparison.Ordinal);
        Assert.Contains(", exit code 0", said, StringComparison.Ordinal);
    }

    [Fact]
    public async Task One_in_FSharp_with_handlers_of_the_shapes_of_Giraffe_loses_nothing()
    {
        using var app = new FreshApp();
        await app.BuildAsync(
            "Fresh.fsproj",
            """<Compile Include="Program.fs" />""",
            "Program.fs",
            """
            open System
            open System.Net.Http
            open System.Threading
            open System.Threading.Tasks
            open Graceful.Core
            open Graceful.Giraffe
            open Microsoft.AspNetCore.Builder
            open Microsoft.AspNetCore.Http
            open Microsoft.Extensions.Logging

            // What of Giraffe is used here, in its shapes.
            type HttpFunc = HttpContext -> Task<HttpContext option>
            type HttpHandler = HttpFunc -> HttpFunc

            let (>=>) (one: HttpHandler) (other: HttpHandler) : HttpHandler = fun next -> one (other next)

            let route path : HttpHandler =
                fun next ctx -> if ctx.Request.Path.Value = path then next ctx else Task.FromResult None

            let text (words: string) : HttpHandler =
                fun _ ctx ->
                    task {
                        do! ctx.Response.WriteAsync words
                        return Some ctx
                    }

            let rec choose (handlers: HttpHandler list) : HttpHandler =
                match handlers with
                | [] -> fun _ _ -> Task.FromResult None
                | handler :: others ->
                    fun next ->
                        let first, rest = handler next, choose others next
                        fun ctx ->
                            task {
                                match! first ctx with
                                | None -> return! rest ctx
                                | answered -> return answered
                            }

            let slow: HttpHandler =
                fun next ctx ->
                    task {
                        do! Task.Delay(int (string ctx.Request.Query["ms"]), ctx.RequestAborted)
                        return! text "ok, at last" next ctx
                    }

            let webApp: HttpHandler =
                useGraceful
                >=> choose
                        [ route "/" >=> text "ok"
                          route "/slow" >=> slow
                          route "/health/ready" >=> readiness
                          route "/health/live" >=> liveness ]

            let builder = WebApplication.CreateBuilder(Environment.GetCommandLineArgs()[1..])
            builder.Logging.AddFilter("Microsoft.AspNetCore", LogLevel.Warning) |> ignore

            let askItself (reason: StopReason) (token: CancellationToken) =
                task {
                    use client = new HttpClient(BaseAddress = Uri(string builder.Configuration["urls"]))
                    use! ready = client.GetAsync("/health/ready", token)
                    use! live = client.GetAsync("/health/live", token)
                    printfn $"{reason}: readiness {int ready.StatusCode}, liveness {int live.StatusCode}"
                }

            builder.Services
            |> addGraceful (
                onStopping "ask" (TimeSpan.FromSeconds 5.0) askItself
                >> onDrained "goodbye" (TimeSpan.FromSeconds 5.0) (fun reason _ ->
                    task { printfn $"Goodbye after {reason}, as far as the core knows with {Lifecycle.exitCode []}" })
            )
            |> ignore

            let app = builder.Build()
            let func = webApp (Some >> Task.FromResult)

            app.Run(
                RequestDelegate(fun ctx ->
                    task {
                        match! func ctx with
                        | Some _ -> ()
                        | None -> ctx.Response.StatusCode <- 404
                    })
            )

            app.Run()
            """,
            Package.All.Keys);
        var said = await app.ProbeAsync();
        Assert.Contains("SIGTERM: readiness 503, liveness 200", said, StringComparison.Ordinal);
        Assert.Contains("Goodbye after SIGTERM, as far as the core knows with 0", said, StringComparison.Ordinal);
        Assert.Contains(", exit code 0", said, StringComparison.Ordinal);
    }
}
