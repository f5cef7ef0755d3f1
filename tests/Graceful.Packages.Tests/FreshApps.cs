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
    public async Task One_in_FSharp_that_names_every_package_loses_nothing()
    {
        using var app = new FreshApp();
        await app.BuildAsync(
            "Fresh.fsproj",
            """<Compile Include="Program.fs" />""",
            "Program.fs",
            """
            open System
            open System.Threading
            open System.Threading.Tasks
            open Microsoft.AspNetCore.Builder
            open Microsoft.Extensions.DependencyInjection
            open Graceful.Core

            let builder = WebApplication.CreateBuilder(Environment.GetCommandLineArgs()[1..])
            builder.AddGraceful(fun options ->
                options.OnDrained("goodbye", TimeSpan.FromSeconds 5.0, fun reason _ ->
                    printfn $"Goodbye after {reason}, as far as the core knows with {Lifecycle.exitCode []}"
                    Task.CompletedTask)
                |> ignore)
            |> ignore
            let app = builder.Build()
            app.MapGet("/", Func<string>(fun () -> "ok")) |> ignore
            app.MapGet("/slow", Func<int, CancellationToken, Task<string>>(fun ms aborted ->
                task {
                    do! Task.Delay(ms, aborted)
                    return "ok, at last"
                }))
            |> ignore
            app.MapGracefulHealth() |> ignore
            app.Run()
            """,
            Package.All.Keys);
        var said = await app.ProbeAsync();
        Assert.Contains("Goodbye after SIGTERM, as far as the core knows with 0", said, StringComparison.Ordinal);
        Assert.Contains(", exit code 0", said, StringComparison.Ordinal);
    }
}
