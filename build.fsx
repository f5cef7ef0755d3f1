// Everything that is done with this repository: dotnet fsi build.fsx TARGET [OPTIONS]
// Each target sets up what it needs: tools, packages, build. A fresh clone and the .NET 10 SDK are enough.
open System
open System.Diagnostics
open System.IO
open System.Xml.Linq

Environment.CurrentDirectory <- __SOURCE_DIRECTORY__
let configuration = "Release"

let fail message =
    eprintfn $"\nbuild.fsx: {message}"
    exit 1

let start exe (arguments: string list) (environment: (string * string) list) redirect =
    let info = ProcessStartInfo(exe, arguments, RedirectStandardOutput = redirect)
    for name, value in environment do
        info.Environment[name] <- value
    try
        Process.Start info
    with :? ComponentModel.Win32Exception as e -> fail $"'{exe}' could not be started: {e.Message}"

let exitCodeOf exe arguments environment =
    use started = start exe arguments environment false
    started.WaitForExit()
    started.ExitCode

let run exe arguments environment =
    let code = exitCodeOf exe arguments environment
    if code <> 0 then
        let words = String.concat " " arguments
        fail $"'{exe} {words}' ended with exit code {code}."

let output exe arguments =
    use started = start exe arguments [] true
    let text = started.StandardOutput.ReadToEnd()
    started.WaitForExit()
    text

let has tool = output "sh" [ "-c"; $"command -v {tool} || true" ] <> ""

/// A tool from Debian's packages that a target cannot do without.
let need tool package =
    if not (has tool) then
        printfn $"Installing {package}, which this target needs for '{tool}'..."
        let apt = "apt-get"
        if not (has apt) || exitCodeOf "sh" [ "-c"; $"apt-get update -qq && apt-get install -y -qq {package} >/dev/null" ] [] <> 0 then
            fail $"'{tool}' is missing and could not be installed; please install the package {package} and try again."

// ---- set-up ---------------------------------------------------------------------------------------------------------

/// Paket reads the user's own NuGet source, so that company mirrors serve as well and no address is written down here.
let feed =
    lazy
        match Environment.GetEnvironmentVariable "NUGET_FEED" with
        | null | "" ->
            output "dotnet" [ "nuget"; "list"; "source"; "--format"; "short" ]
            |> _.Split('\n')
            |> Array.tryPick (fun line -> if line.StartsWith "E " then Some(line.Substring(2).Trim()) else None)
            |> Option.defaultWith (fun () -> fail "no NuGet source is enabled; see 'dotnet nuget list source'.")
        | feed -> feed

let restored =
    lazy
        (Environment.SetEnvironmentVariable("NUGET_FEED", feed.Value)
         run "dotnet" [ "tool"; "restore"; "-v"; "quiet" ] []
         // The lock spells the feed's address out, so it is made here and never committed; the pins keep it the same everywhere.
         let isFresh (file: string) = File.Exists file && File.GetLastWriteTimeUtc file >= File.GetLastWriteTimeUtc "paket.dependencies"
         if not (isFresh "paket.lock" && File.Exists ".paket/Paket.Restore.targets") then
             run "dotnet" [ "paket"; "install"; "--silent" ] [])

let built =
    lazy
        (restored.Force()
         printfn "Building..."
         run "dotnet" [ "build"; "Graceful.slnx"; "-c"; configuration; "-v"; "quiet"; "-nologo"; "-clp:NoSummary" ] [])

let program project = Path.GetFullPath $"artifacts/bin/{project}/{configuration.ToLowerInvariant()}/{project}.dll"

// ---- targets --------------------------------------------------------------------------------------------------------

let projectsIn folder =
    Directory.GetDirectories folder
    |> Array.map Path.GetFileName
    |> Array.filter (fun name -> Directory.GetFiles(Path.Combine(folder, name), "*.*proj").Length > 0)
    |> Array.sort

/// Runs every test project and counts what its runner wrote down.
let test (only: string list) =
    built.Force()
    Directory.CreateDirectory "artifacts/tests" |> ignore
    let results =
        [ for project in projectsIn "tests" do
              if only.IsEmpty || List.exists (fun (o: string) -> project.Contains(o, StringComparison.OrdinalIgnoreCase)) only then
                  printfn $"\n== {project}"
                  let results = Path.GetFullPath $"artifacts/tests/{project}.xml"
                  File.Delete results
                  let code = exitCodeOf "dotnet" [ program project; "-xml"; results; "-noLogo" ] []
                  if not (File.Exists results) then fail $"{project} ended with exit code {code} and no results."
                  let sum (name: string) =
                      XDocument.Load(results).Descendants(XName.Get "assembly")
                      |> Seq.sumBy (fun assembly -> int (assembly.Attribute(XName.Get name).Value))
                  let passed, failed, skipped, errors = sum "passed", sum "failed", sum "skipped", sum "errors"
                  // A run that ended badly without a failed test, and a skipped test, are failures too.
                  passed, failed + errors + skipped + (if code <> 0 && failed + errors = 0 then 1 else 0) ]
    let passed, failed = List.sumBy fst results, List.sumBy snd results
    printfn $"\n{passed} passed, {failed} failed"
    if failed > 0 || passed = 0 then exit 1

let probe arguments = exitCodeOf "dotnet" (program "Graceful.Probe" :: arguments) []

let hello label options =
    let hello = program "Hello"
    $"{label}=dotnet {hello} --port {{port}} {options}"

let demo () =
    built.Force()
    printfn
        "\nOne app, once plain and once with Graceful, each under load: 64 clients that keep their connection, 64 that open a new one\n\
         for every request, 500 idle connections, and 8 requests of 1.7 s in flight. Then SIGTERM.\n"
    exit (probe
              [ "--server"; hello "plain" "--plain"; "--server"; hello "graceful" ""
                "--keep-alive"; "64"; "--connect"; "64"; "--idle"; "500"; "--slow"; "8"; "--slow-path"; "/slow?ms=1700"
                "--show-output"; "--expect-clean"; "graceful" ])

let targets: (string * string * (string list -> unit)) list =
    [ "demo", "the main job, seen: the same server plain and graceful, loaded, stopped by SIGTERM, and what its clients saw", ignore >> demo
      "test", "build and run all tests; words choose test projects by name", test
      "build", "build everything", fun _ -> built.Force()
      "clean", "delete everything that was built", fun _ -> if Directory.Exists "artifacts" then Directory.Delete("artifacts", true) ]

match List.ofArray fsi.CommandLineArgs |> List.tail with
| name :: options when targets |> List.exists (fun (target, _, _) -> target = name) ->
    let _, _, action = targets |> List.find (fun (target, _, _) -> target = name)
    action options
| given ->
    match given with
    | name :: _ -> eprintfn $"There is no target '{name}'.\n"
    | [] -> ()
    printfn "dotnet fsi build.fsx TARGET\n"
    for name, what, _ in targets do
        printfn $"  %-10s{name}{what}"
    exit (if given.IsEmpty then 0 else 1)
