// Runs Stryker on the engine of the adapters, in a copy of the repository, and says what no test noticed.
// Words name the folders of the tests that run, instead of all quick ones. Packages must be restored; `dotnet fsi build.fsx mutate --adapters` sees to that.
open System
open System.Diagnostics
open System.IO
open System.Text.Json

Environment.CurrentDirectory <- Path.GetDirectoryName __SOURCE_DIRECTORY__
let strykerVersion = "5.1.0"
let tools = Path.GetFullPath "artifacts/tools"
let copy = Path.GetFullPath "artifacts/stryker/copy"
let report = Path.GetFullPath "artifacts/stryker/report"

let fail message =
    eprintfn $"\nmutate --adapters: {message}"
    exit 1

/// Tests that start whole processes, and those that go through every kind of server, take too long to run for every fault.
let chosenTests =
    match List.ofArray fsi.CommandLineArgs |> List.tail with
    | [] -> [ "Hooks"; "Inside"; "Observed"; "States"; "Stops" ]
    | words -> words

for folder in chosenTests do
    if not (Directory.Exists $"tests/Graceful.CSharp.Tests/{folder}") then fail $"there is no folder '{folder}' in tests/Graceful.CSharp.Tests."

let run folder exe (arguments: string list) environment =
    let info = ProcessStartInfo(exe, arguments, WorkingDirectory = folder)
    for name, value in environment do
        info.Environment[name] <- value
    use started = Process.Start info
    started.WaitForExit()
    if started.ExitCode <> 0 then fail $"'{Path.GetFileName exe}' ended with exit code {started.ExitCode}."

/// Stryker leaves a changed assembly behind, so it works on a copy; what was built there before is built on.
let copyRepository () =
    let rec copyFolder (from: string) (into: string) =
        Directory.CreateDirectory into |> ignore
        for file in Directory.GetFiles from do
            let target = Path.Combine(into, Path.GetFileName file)
            if File.Exists target |> not || File.GetLastWriteTimeUtc file > File.GetLastWriteTimeUtc target then File.Copy(file, target, true)
        for folder in Directory.GetDirectories from do
            let name = Path.GetFileName folder
            if not (List.contains name [ "artifacts"; ".git"; "bin"; "obj"; "bench"; "samples" ]) then copyFolder folder (Path.Combine(into, name))
    copyFolder "." copy

let install () =
    if not (File.Exists $"{tools}/dotnet-stryker") then
        printfn $"Installing dotnet-stryker {strykerVersion}..."
        // Outside of the repository, so that no manifest of it is asked.
        run (Path.GetTempPath()) "dotnet" [ "tool"; "install"; "dotnet-stryker"; "--version"; strykerVersion; "--tool-path"; tools ] []

type Mutant = { Where: string; What: string; Status: string }

let mutants () =
    let file = Path.Combine(report, "reports", "mutation-report.json")
    if not (File.Exists file) then fail "Stryker wrote no report."
    [ for source in JsonDocument.Parse(File.ReadAllText file).RootElement.GetProperty("files").EnumerateObject() do
          for mutant in source.Value.GetProperty("mutants").EnumerateArray() do
              let text (name: string) = string (mutant.GetProperty name)
              let line = mutant.GetProperty("location").GetProperty("start").GetProperty("line").GetInt32()
              { Where = $"{Path.GetFileName source.Name}:{line}"
                What = $"""{text "mutatorName"} -> {(text "replacement").ReplaceLineEndings(" ")}"""
                Status = text "status" } ]

copyRepository ()
install ()
if Directory.Exists report then Directory.Delete(report, true)
let watch = Stopwatch.StartNew()
run $"{copy}/tests/Graceful.CSharp.Tests" $"{tools}/dotnet-stryker"
    [ "--config-file"; "../../proof/stryker.json"; "--output"; report; "--skip-version-check" ]
    [ "GRACEFUL_TESTS", String.concat " " ("--filter-namespace" :: [ for folder in chosenTests -> $"Graceful.Tests.{folder}" ])
      "TESTINGPLATFORM_TELEMETRY_OPTOUT", "1" ]
let found = mutants ()
let with' status = found |> List.filter (fun mutant -> mutant.Status = status)
let noticed, missed = with' "Killed" @ with' "Timeout", with' "Survived" @ with' "NoCoverage"
let judged = noticed.Length + missed.Length
if judged = 0 then fail "Stryker judged nothing."
let hung = (with' "Timeout").Length
printfn $"\n{noticed.Length}/{judged} noticed ({hung} of them because a test hung): a score of %.1f{100.0 * float noticed.Length / float judged} %%, in %.0f{watch.Elapsed.TotalSeconds} s"
printfn $"""Not noticed by the tests in {String.concat ", " chosenTests}:"""
for mutant in missed do
    printfn $"  {mutant.Where}  {mutant.What}"
printfn $"The whole report: {report}/reports/mutation-report.html"
