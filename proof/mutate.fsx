// Plants the faults of faults.txt in copies of the core, one at a time, and runs the core's tests against each.
// Packages must be restored; `dotnet fsi build.fsx mutate` sees to that. Nothing but artifacts/mutate is written to.
#load "Faults.fs"

open System
open System.Diagnostics
open System.IO
open System.Text
open System.Text.Json
open System.Threading
open System.Xml.Linq
open Graceful.Proof.Faults

Environment.CurrentDirectory <- Path.GetDirectoryName __SOURCE_DIRECTORY__
let coreFile = "src/Graceful.Core.fs"
let tests = "Graceful.Core.Tests"
let scratch = Path.GetFullPath "artifacts/mutate"

/// A build of its own, in which nobody inlines anything of the core: the tests run the core that lies beside them.
let build = [ "-p:Configuration=Release"; $"-p:ArtifactsPath={scratch}/build"; "-p:OtherFlags=--nooptimizationdata"; "-nologo"; "-v:quiet" ]

/// Classes of tests have their turn by how long they take when all is well, in seconds: most faults need only the quickest.
let turns = [ 0.0, 0.1; 0.1, 2.0; 2.0, infinity ]

/// It takes a few seconds; on a machine that has much else to do, longer.
let compileLimit = TimeSpan.FromMinutes 10.0

let fail message =
    eprintfn $"\nmutate: {message}"
    exit 1

/// What a program said and how it ended; no exit code when its time was up before it ended.
let run (limit: TimeSpan) exe (arguments: string list) =
    let info = ProcessStartInfo(exe, arguments, RedirectStandardOutput = true, RedirectStandardError = true)
    // A fault may make a test grow without bound; this ends it before the machine suffers.
    info.Environment["DOTNET_GCHeapHardLimit"] <- "0x60000000"
    use started = Process.Start info
    let said = StringBuilder()
    let hear (line: string | null) =
        match line with
        | null -> ()
        | line -> lock said (fun () -> said.AppendLine line |> ignore)
    started.OutputDataReceived.Add(fun line -> hear line.Data)
    started.ErrorDataReceived.Add(fun line -> hear line.Data)
    started.BeginOutputReadLine()
    started.BeginErrorReadLine()
    let ended = started.WaitForExit limit
    if not ended then started.Kill(entireProcessTree = true)
    started.WaitForExit()
    lock said (fun () -> string said), (if ended then Some started.ExitCode else None)

// ---- compiling a core -----------------------------------------------------------------------------------------------

/// What MSBuild would say to the compiler for the core, of which only source and outputs are changed.
let compilerArguments =
    lazy
        (let said, code =
            run compileLimit "dotnet"
                ([ "msbuild"; "src/Graceful.Core.fsproj"; "-p:DesignTimeBuild=true"; "-p:SkipCompilerExecution=true"
                   "-p:ProvideCommandLineArgs=true"; "-p:NonExistentFile=none"; "-t:Compile"; "-getItem:FscCommandLineArgs" ] @ build)
         if code <> Some 0 then fail $"MSBuild did not say how the core is compiled:\n{said}"
         let arguments =
             [ for item in JsonDocument.Parse(said).RootElement.GetProperty("Items").GetProperty("FscCommandLineArgs").EnumerateArray() do
                   string (item.GetProperty "Identity") ]
         let isOurs (argument: string) =
             [ "-o:"; "--out:"; "--doc:"; "--refout:"; "--warnaserror"; "--warnon" ] |> List.exists argument.StartsWith
             || argument.EndsWith "Graceful.Core.fs"
         // Relative paths are the project's.
         arguments |> List.filter (isOurs >> not) |> List.map (fun argument ->
             if argument.StartsWith '-' || Path.IsPathRooted argument then argument else Path.GetFullPath(argument, Path.GetFullPath "src")))

let compiler = Path.Combine(AppContext.BaseDirectory, "fsc.dll")

/// Compiles a core beside the tests of a worker; the first that the compiler did not like, if there is something.
let compile worker (core: string) =
    let file = Path.Combine(worker, "Graceful.Core.fs")
    File.WriteAllText(file, core)
    let answers = Path.Combine(worker, "core.rsp")
    File.WriteAllLines(answers, $"""-o:{Path.Combine(worker, "tests", "Graceful.Core.dll")}""" :: compilerArguments.Value @ [ file ])
    match run compileLimit "dotnet" [ compiler; $"@{answers}" ] with
    | _, Some 0 -> None
    | said, Some _ -> said.Split '\n' |> Array.tryFind _.Contains(": error ") |> Option.orElse (Some said)
    | _, None -> fail $"the compiler did not end within {compileLimit}."

// ---- running the tests ----------------------------------------------------------------------------------------------

type Verdict =
    | Survived
    | CaughtBy of test: string
    | DoesNotCompile of why: string

let private runTests worker limit (options: string list) =
    run limit "dotnet" (Path.Combine(worker, "tests", $"{tests}.dll") :: "-noLogo" :: "-noColor" :: options)

/// The first test that failed, as the runner writes it.
let private firstFailure (said: string) =
    said.Split '\n'
    |> Array.tryPick (fun line ->
        match line.IndexOf " [FAIL]" with
        | -1 -> None
        | i -> Some(line.Substring(0, i).Trim().Replace($"{tests}.", "")))

/// Some classes of tests, and how long they may take.
type Round = { Classes: string list; Limit: TimeSpan }

let judge worker (rounds: Round list) core fault =
    match compile worker (plant core fault) with
    | Some why -> DoesNotCompile why
    | None ->
        rounds
        |> List.tryPick (fun round ->
            let options = round.Classes |> List.collect (fun name -> [ "-class"; name ])
            match runTests worker round.Limit ("-stopOnFail" :: "-parallel" :: "none" :: options) with
            | _, Some 0 -> None
            | said, Some code ->
                Some(CaughtBy(firstFailure said |> Option.defaultValue $"a runner that ended with exit code {code}"))
            | said, None -> Some(CaughtBy(firstFailure said |> Option.defaultValue "the clock: a test hangs")))
        |> Option.defaultValue Survived

let newWorker number =
    let worker = Path.Combine(scratch, string number)
    if Directory.Exists worker then Directory.Delete(worker, true)
    for file in Directory.GetFiles(Path.Combine(scratch, "build/bin", tests, "release")) do
        let copy = Path.Combine(worker, "tests", Path.GetFileName file)
        Directory.CreateDirectory(Path.GetDirectoryName copy) |> ignore
        File.Copy(file, copy)
    worker

/// The sound core must pass, compiled in the same way; the time of each class says when it has its turn.
let rounds worker core =
    compile worker core |> Option.iter (fun why -> fail $"the core itself does not compile here:\n{why}")
    let results = Path.Combine(worker, "results.xml")
    let said, code = runTests worker (TimeSpan.FromMinutes 5.0) [ "-parallel"; "none"; "-xml"; results ]
    if code <> Some 0 then fail $"the tests fail without a fault:\n{said}"
    let classes =
        [ for test in XDocument.Load(results).Descendants(XName.Get "test") ->
              string (test.Attribute(XName.Get "type").Value), float (test.Attribute(XName.Get "time").Value) ]
        |> List.groupBy fst
        |> List.map (fun (name, tests) -> name, List.sumBy snd tests)
    [ for from, below in turns do
          let mine = classes |> List.filter (fun (_, time) -> time >= from && time < below)
          let time = List.sumBy snd mine
          if mine <> [] then
              printfn $"  {mine.Length} classes of tests in %.1f{time} s"
              { Classes = List.map fst mine; Limit = TimeSpan.FromSeconds(30.0 + 10.0 * time) } ]

// ---- all of them ----------------------------------------------------------------------------------------------------

let faultsFor (words: string list) =
    let all = read "proof/faults.txt"
    let wanted = String.concat " " words
    match all |> List.filter _.Name.Contains(wanted, StringComparison.OrdinalIgnoreCase) with
    | [] -> fail $"no fault's name contains '{wanted}'; they are in proof/faults.txt."
    | some -> some

let main words =
    let core = File.ReadAllText coreFile
    let faults = faultsFor words
    match faults |> List.choose (unfit core) with
    | [] -> ()
    | why -> fail (String.concat "\n" why)
    let watch = Stopwatch.StartNew()
    printfn "Building..."
    let said, code = run (TimeSpan.FromMinutes 10.0) "dotnet" ([ "build"; $"tests/{tests}/{tests}.fsproj" ] @ build)
    if code <> Some 0 then fail $"the build failed:\n{said}"
    let workers = [ for i in 1 .. min Environment.ProcessorCount faults.Length -> newWorker i ]
    printfn "The core without a fault:"
    let rounds = rounds workers.Head core
    printfn $"{faults.Length} faults, {workers.Length} at a time:"
    let verdicts = Array.create faults.Length Survived
    let mutable next, finished = -1, 0
    let work worker () =
        let rec go () =
            let i = Interlocked.Increment &next
            if i < faults.Length then
                let fault = faults[i]
                let one = Stopwatch.StartNew()
                verdicts[i] <- judge worker rounds core fault
                let word =
                    match verdicts[i], fault.Harmless with
                    | CaughtBy test, None -> $"caught by {test}"
                    | Survived, Some _ -> "survived, as it must"
                    | CaughtBy test, Some _ -> $"CAUGHT, though it should make no difference, by {test}"
                    | Survived, None -> "SURVIVED"
                    | DoesNotCompile _, _ -> "DOES NOT COMPILE"
                lock verdicts (fun () ->
                    finished <- finished + 1
                    printfn $"  [%3d{finished}/{faults.Length}] %4.1f{one.Elapsed.TotalSeconds} s  {fault.Name}: {word}")
                go ()
        go ()
    let threads = workers |> List.map (fun worker -> Thread(work worker))
    threads |> List.iter _.Start()
    threads |> List.iter _.Join()

    let judged = List.zip faults (List.ofArray verdicts)
    let planted, harmless = judged |> List.partition (fun (fault, _) -> fault.Harmless.IsNone)
    let caught = planted |> List.filter (fun (_, verdict) -> verdict.IsCaughtBy)
    let name (fault: Fault) = $"  {fault.Name}"
    let tell title found = if found <> [] then printfn $"""{title}{"\n"}{String.concat "\n" found}"""
    let survivors = [ for fault, verdict in planted do if verdict.IsSurvived then name fault ]
    let broken = [ for fault, verdict in judged do match verdict with DoesNotCompile why -> $"{name fault}: {why.Trim()}" | _ -> () ]
    let wronged = [ for fault, verdict in harmless do if verdict.IsCaughtBy then name fault ]
    printfn $"\n{caught.Length}/{planted.Length} caught, in %.0f{watch.Elapsed.TotalSeconds} s"
    tell "Planted as well, and no test can tell them from the sound core:"
        [ for fault, verdict in harmless do if verdict.IsSurvived then $"{name fault}: {fault.Harmless.Value}" ]
    tell "SURVIVED, so a test is missing:" survivors
    tell "CAUGHT, so the reason given is wrong:" wronged
    tell "DO NOT COMPILE:" broken
    if caught.Length < planted.Length || wronged <> [] || broken <> [] then exit 1

main (List.ofArray fsi.CommandLineArgs |> List.tail)
