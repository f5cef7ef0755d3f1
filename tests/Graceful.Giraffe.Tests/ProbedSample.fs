/// The sample, as a user runs it, under the probe: what became of every request.
module GiraffeUser.ProbedSample

open System
open System.Diagnostics
open System.IO
open System.Text.Json
open System.Threading
open System.Threading.Tasks
open Xunit

let private beside name = Path.Combine(AppContext.BaseDirectory, name)

/// One run of the probe against the sample; its exit status, what it printed, and the run's part of its JSON.
let private probe (sample: string) (options: string list) =
    task {
        let json = Path.GetTempFileName()

        try
            let start = ProcessStartInfo("dotnet", RedirectStandardOutput = true, RedirectStandardError = true)
            start.ArgumentList.Add(beside "Graceful.Probe.dll")
            let hello = beside "Giraffe.Hello.dll"
            let server = $"dotnet '{hello}' --port {{port}} {sample}"
            for word in [ "--server"; server; "--json"; json; "--show-output"; "--warm-up"; "200ms"; "--load"; "500ms" ] @ options do
                start.ArgumentList.Add word
            use running = Process.Start start |> Option.ofObj |> Option.get
            use limit = new CancellationTokenSource(TimeSpan.FromSeconds 60.0)

            try
                let output = running.StandardOutput.ReadToEndAsync limit.Token
                let errors = running.StandardError.ReadToEndAsync limit.Token
                do! running.WaitForExitAsync limit.Token
                let! output = output
                let! errors = errors
                let! text = File.ReadAllTextAsync json
                Assert.True(text.Length > 0, output + errors)
                return running.ExitCode, output + errors, JsonDocument.Parse(text).RootElement.GetProperty("servers").[0].GetProperty("runs").[0]
            finally
                if not running.HasExited then
                    running.Kill(entireProcessTree = true)
        finally
            File.Delete json
    }

let private count (outcome: string) (clients: JsonElement) = clients.GetProperty("after").GetProperty(outcome).GetInt64()

let private lost = [ "lostNew"; "lostReused"; "truncated"; "malformed"; "unanswered"; "connectTimeout" ]

let private nothingIsLost (run: JsonElement) (output: string) =
    for outcome in lost do
        Assert.True((count outcome run = 0L), $"{outcome} is {count outcome run}\n{output}")
    Assert.Equal("0", string (run.GetProperty("exit").GetProperty "code"))
    Assert.Contains("Goodbye, after SIGTERM.", output)

[<Fact>]
let ``no request is lost, and slow ones are answered`` () : Task =
    task {
        let! status, output, run =
            probe "" [ "--keep-alive"; "16"; "--connect"; "16"; "--idle"; "50"; "--slow"; "4"; "--slow-path"; "/slow?ms=1500" ]

        Assert.True((status = 0), output)
        nothingIsLost run output
        Assert.Equal(0L, count "otherStatus" run)
        Assert.True(count "ok" run > 4L, output)
        Assert.Equal(4L, count "ok" (run.GetProperty("clients").GetProperty "slow"))
    }

[<Fact>]
let ``refused requests are answered too, and those in flight are served`` () : Task =
    task {
        let! status, output, run =
            probe
                "--refuse 00:00:05 --LameDuck 00:00:00.5"
                [ "--keep-alive"; "8"; "--connect"; "8"; "--slow"; "4"; "--slow-path"; "/slow?ms=1500" ]

        Assert.True((status = 0), output)
        nothingIsLost run output
        Assert.True(count "otherStatus" run > 0L, output)
        Assert.Equal(count "otherStatus" run, run.GetProperty("after").GetProperty("statuses").GetProperty("503").GetInt64())
        Assert.Equal(4L, count "ok" (run.GetProperty("clients").GetProperty "slow"))
    }

[<Fact>]
let ``probes of health are exempt from the refusal, and a poll ends by itself`` () : Task =
    task {
        // Readiness has a status of its own; liveness must be 200 to the end.
        let! status, output, run =
            probe
                "--refuse 00:00:05 --LameDuck 00:00:00.3"
                [ "--keep-alive"; "4"; "--connect"; "4"; "--path"; "/health/live"; "--slow"; "4"; "--slow-path"; "/news" ]

        Assert.True((status = 0), output)
        nothingIsLost run output
        Assert.Equal(0L, count "otherStatus" run)
        Assert.Equal(4L, count "ok" (run.GetProperty("clients").GetProperty "slow"))
    }
