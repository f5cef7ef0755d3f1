/// Walks every state that the composed system can reach, in several configurations, and says what it found.
module Graceful.Proof.Program

open System
open System.Diagnostics
open System.Threading
open System.Threading.Tasks

type private Options = { Only: string; Most: int; Threads: int; Small: bool }

let private usage =
    "usage: prove [--only PART-OF-A-NAME] [--small] [--most STATES] [--threads N]\n\
     --only     walks the configurations whose name has this part\n\
     --small    walks those of the test run\n\
     --most     gives up on a configuration at so many states (1,000 to 200,000,000; default 100,000,000)\n\
     --threads  configurations at a time (1 to 64; default: one per core)"

let private fail (reason: string) : 'a =
    eprintfn $"prove: {reason}\n{usage}"
    exit 64

let private number name least most (text: string) =
    match Int32.TryParse(text.Replace(",", "").Replace("_", "")) with
    | true, n when n >= least && n <= most -> n
    | _ -> fail $"{name} is '{text}', and must be a whole number from {least:N0} to {most:N0}."

let rec private parse options args =
    match args with
    | [] -> options
    | "--help" :: _ ->
        printfn $"{usage}"
        exit 0
    | "--small" :: rest -> parse { options with Small = true } rest
    | "--only" :: part :: rest -> parse { options with Only = part } rest
    | "--most" :: n :: rest -> parse { options with Most = number "--most" 1_000 200_000_000 n } rest
    | "--threads" :: n :: rest -> parse { options with Threads = number "--threads" 1 64 n } rest
    | unknown :: _ -> fail $"'{unknown}' is not an option, or lacks its value."

let private say outcome =
    let o = outcome
    let mark = if o.Broken.IsSome then "BROKEN" elif o.Complete then "holds" else "NOT COMPLETE"
    printfn $"{o.States, 14:N0} {o.Transitions, 15:N0} {o.Depth, 6} {o.Seconds, 9:F1}  {mark, -12}  {o.Configuration.Name}"
    match o.Broken with
    | Some(reason, trace) ->
        printfn $"\n  {reason}. The shortest way there:"
        trace |> List.iteri (fun i line -> printfn $"  {i + 1, 4}  {line}")
        printfn ""
    | None -> ()

/// The large ones first, so that the last to end is a small one.
let private walkAll options configurations =
    let found = Array.zeroCreate<int64> (List.length configurations)
    let finished = [| 0 |]
    let watch = Stopwatch.StartNew()
    let report _ =
        let states = Array.sum found
        let ended = Volatile.Read(&finished[0])
        eprintf $"\r{states:N0} states, {ended} of {found.Length} configurations, {watch.Elapsed.TotalSeconds:F0} s "
    use _ = new Timer(report, null, 2_000, 2_000)
    let outcomes = Array.zeroCreate found.Length
    let bounded = ParallelOptions(MaxDegreeOfParallelism = options.Threads)
    Parallel.ForEach(
        System.Collections.Concurrent.Partitioner.Create(List.indexed configurations, System.Collections.Concurrent.EnumerablePartitionerOptions.NoBuffering),
        bounded,
        fun (i, configuration) ->
            let outcome = Proof(configuration, options.Most, fun n -> found[i] <- int64 n).Run()
            found[i] <- int64 outcome.States
            Interlocked.Increment(&finished[0]) |> ignore
            outcomes[i] <- outcome
            lock finished (fun () ->
                eprintf "\r%70s\r" ""
                say outcome))
    |> ignore
    outcomes, watch.Elapsed

[<EntryPoint>]
let main args =
    let options =
        parse { Only = ""; Most = 100_000_000; Threads = Environment.ProcessorCount; Small = false } (List.ofArray args)
    let configurations =
        (if options.Small then Configuration.small else Configuration.all)
        |> List.filter (fun c -> c.Name.Contains(options.Only, StringComparison.OrdinalIgnoreCase))
    if configurations.IsEmpty then fail $"no configuration has '{options.Only}' in its name."
    printfn "        states     transitions  depth   seconds"
    let outcomes, elapsed = walkAll options configurations
    let states = outcomes |> Array.sumBy (fun o -> int64 o.States)
    let transitions = outcomes |> Array.sumBy _.Transitions
    let memory = float (Process.GetCurrentProcess().PeakWorkingSet64) / 1e9
    printfn $"{states, 14:N0} {transitions, 15:N0} in all, {elapsed.TotalSeconds:F0} s, {memory:F1} GB at most"
    let broken = outcomes |> Array.filter (fun o -> o.Broken.IsSome || not o.Complete) |> Array.length
    if broken = 0 then
        printfn "Every rule holds in every state, and from every state after the stop the exit is reached."
        0
    else
        printfn $"{broken} of {outcomes.Length} configurations are broken or were not walked to their end."
        1
