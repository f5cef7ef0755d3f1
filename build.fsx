// Everything that is done with this repository: dotnet fsi build.fsx TARGET [OPTIONS]
// Each target sets up what it needs: tools, packages, build. A fresh clone and the .NET 10 SDK are enough; programs of the system's that are missing are
// installed where that is allowed (Debian, root).
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

/// Programs that are not .NET's, which tests and targets run for real, and the package of Debian's that has each.
let packages =
    Map [ "bash", "bash"
          "systemd-socket-activate", "systemd"
          "systemd-analyze", "systemd"
          "setpriv", "util-linux"
          "wrk", "wrk"
          "nginx", "nginx-light"
          "lighttpd", "lighttpd"
          "cgi-fcgi", "libfcgi-bin"
          "haproxy", "haproxy"
          "h2load", "nghttp2-client" ]

/// What the tests of the library run: socket activation and a check of units (no systemd has to run), and the servers, proxies and clients of others.
let programsOfTests = [ "bash"; "systemd-socket-activate"; "systemd-analyze"; "nginx"; "lighttpd"; "cgi-fcgi"; "haproxy"; "h2load" ]

/// Servers are in sbin, where only root looks by himself.
let has tool = output "sh" [ "-c"; $"PATH=$PATH:/usr/sbin:/sbin; command -v {tool} || true" ] <> ""

/// Programs that a target cannot do without. All that are missing are installed at once.
let need (tools: string list) =
    let missing = tools |> List.filter (has >> not)
    if not missing.IsEmpty then
        let names = missing |> List.map (fun tool -> $"'{tool}'") |> String.concat ", "
        let wanted = missing |> List.map (fun tool -> packages[tool]) |> List.distinct |> String.concat " "
        printfn $"Installing {wanted}, for {names}, which this target needs..."
        let apt = "apt-get"
        // The lists may be older than the packages, and without a network they are better than none.
        let install = $"apt-get update -qq; DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends {wanted}"
        let installed = has apt && exitCodeOf "sh" [ "-c"; $"({install}) >/dev/null" ] [] = 0
        if not installed || not (List.forall has missing) then
            fail $"{names}: missing, and could not be installed (that takes Debian or Ubuntu, root and a network). Please install {wanted} and try again."

let needIPv6Loopback () =
    try
        use socket = new Net.Sockets.Socket(Net.Sockets.AddressFamily.InterNetworkV6, Net.Sockets.SocketType.Stream, Net.Sockets.ProtocolType.Tcp)
        socket.Bind(Net.IPEndPoint(Net.IPAddress.IPv6Loopback, 0))
    with :? Net.Sockets.SocketException as e ->
        fail $"the tests need the loopback address ::1, which this machine does not have ({e.Message}); is net.ipv6.conf.lo.disable_ipv6 set?"

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
         if exitCodeOf "sh" [ "-c"; "dotnet tool restore >/dev/null 2>&1" ] [] <> 0 then run "dotnet" [ "tool"; "restore" ] []
         // The lock spells the feed's address out, so it is made here and never committed; the pins keep it the same everywhere.
         let wanted = "paket.dependencies" :: [ for folder in [ "src"; "tests"; "samples"; "bench"; "proof" ] do
                                                    yield! Directory.GetFiles(folder, "paket.references", SearchOption.AllDirectories) ]
         let isFresh (file: string) =
             File.Exists file && wanted |> List.forall (fun other -> File.GetLastWriteTimeUtc file >= File.GetLastWriteTimeUtc other)
         if not (isFresh "paket.lock" && File.Exists ".paket/Paket.Restore.targets") then
             run "dotnet" [ "paket"; "install"; "--silent" ] []
             // Paket leaves a lock alone that says the same as before.
             File.SetLastWriteTimeUtc("paket.lock", DateTime.UtcNow))

let built =
    lazy
        (restored.Force()
         printfn "Building..."
         let log = "artifacts/build.log"
         Directory.CreateDirectory "artifacts" |> ignore
         // Restore and build say much that nobody needs; when something is wrong, all of it is shown.
         if exitCodeOf "sh" [ "-c"; $"dotnet build Graceful.slnx -c {configuration} -v quiet -nologo > {log} 2>&1" ] [] <> 0 then
             printfn $"{File.ReadAllText log}"
             fail "the build failed.")

/// Every project under src/ as a package, with its symbols.
let packed =
    lazy
        (built.Force()
         let folder = "artifacts/packages"
         if Directory.Exists folder then Directory.Delete(folder, true)
         // What lies in a package is dated by the commit, so that whoever packs it again gets the same bytes.
         let date =
             match Environment.GetEnvironmentVariable "SOURCE_DATE_EPOCH" with
             | null | "" -> (output "sh" [ "-c"; "git log -1 --format=%ct 2>/dev/null || true" ]).Trim()
             | date -> date
         for project in Directory.GetFiles("src", "*.*proj", SearchOption.AllDirectories) do
             run "dotnet" [ "pack"; project; "-c"; configuration; "--no-build"; "-v"; "quiet"; "-nologo"; "-o"; folder ] [ ("SOURCE_DATE_EPOCH", date) ]
         folder)

let program project = Path.GetFullPath $"artifacts/bin/{project}/{configuration.ToLowerInvariant()}/{project}.dll"

// ---- targets --------------------------------------------------------------------------------------------------------

let projectsIn folder =
    Directory.GetDirectories folder
    |> Array.map Path.GetFileName
    |> Array.filter (fun name -> Directory.GetFiles(Path.Combine(folder, name), "*.*proj").Length > 0)
    |> Array.sort

/// Runs every test project and counts what its runner wrote down.
let test (only: string list) =
    let isWanted (project: string) =
        only.IsEmpty || List.exists (fun (o: string) -> project.Contains(o, StringComparison.OrdinalIgnoreCase)) only
    // What is missing is said before anything takes its time.
    if isWanted "Graceful.CSharp.Tests" then
        need programsOfTests
        needIPv6Loopback ()
    built.Force()
    Directory.CreateDirectory "artifacts/tests" |> ignore
    let results =
        [ for project in projectsIn "tests" do
              if isWanted project then
                  printfn $"\n== {project}"
                  if project = "Graceful.Packages.Tests" then packed.Force() |> ignore
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

let pack () =
    for package in Directory.GetFiles packed.Value |> Array.sort do
        printfn $"{package}"

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

/// The figures that the README promises, each measured against the plain server in the same run.
let losses (options: string list) =
    let runs = match options with [ runs ] -> runs | _ -> "20"
    built.Force()
    need [ "setpriv" ]
    let unprivileged = "setpriv --reuid 65534 --regid 65534 --clear-groups --bounding-set -all --inh-caps -all"
    let asNobody label = (hello label "").Replace($"{label}=", $"{label}={unprivileged} ")
    let isRoot = (output "id" [ "-u" ]).Trim() = "0"
    let plain, graceful = hello "plain" "--plain", hello "graceful" ""
    /// Only what the plain server loses is no failure.
    let measure title others load =
        printfn $"\n==== {title}, {runs} runs"
        let labelled (server: string) = [ "--server"; server; "--expect-clean"; server.Split('=')[0] ]
        probe ([ "--server"; plain; "--runs"; runs ] @ List.collect labelled (graceful :: others) @ load)
    let codes =
        [ measure "mixed load" [ hello "lame-duck" "--LameDuck 00:00:00.5"; hello "everything" "--everything" ]
              [ "--keep-alive"; "64"; "--connect"; "64"; "--idle"; "500"; "--slow"; "8" ]
          measure "1,000 clients that connect for every request" (if isRoot then [ asNobody "unprivileged" ] else [])
              [ "--keep-alive"; "0"; "--connect"; "1000" ]
          measure "2,000 idle connections and nothing else" [ hello "settle-0" "--SettleTime 0" ]
              [ "--keep-alive"; "0"; "--connect"; "0"; "--idle"; "2000" ] ]
    if List.exists ((<>) 0) codes then exit 1

/// What clients of each protocol lose when the same app is stopped under load, plain and graceful in turn.
let protocols (options: string list) =
    let stops = match options with [ stops ] -> stops | _ -> "20"
    if not (Seq.forall Char.IsAsciiDigit stops) || stops.TrimStart '0' = "" then fail $"'{stops}' is not a number of stops, as in: protocols 20"
    built.Force()
    let folder = Directory.CreateDirectory "artifacts/protocols"
    let socket = Path.Combine(Path.GetTempPath(), "graceful-{port}.sock")
    let unix label words = (hello label words).Replace("--port {port}", $"--unix {socket}")
    let sample = program "Streams"
    let streams label words = $"{label}=dotnet {sample} --port {{port}} {words}"
    let both server words = [ server "plain" ("--plain " + words); server "graceful" words ]
    let all =
        [ "https", both hello "--tls", [ "--tls"; "--keep-alive"; "32"; "--connect"; "8"; "--idle"; "100"; "--slow"; "4" ]
          "http2", both hello "--protocols Http2", [ "--protocol"; "http2"; "--keep-alive"; "64"; "--connect"; "16"; "--idle"; "50"; "--slow"; "4" ]
          "http2, TLS", both hello "--tls", [ "--protocol"; "http2"; "--tls"; "--keep-alive"; "64"; "--connect"; "4"; "--idle"; "50"; "--slow"; "4" ]
          // No server of .NET's that speaks it is there to compare with.
          "fastcgi", [ unix "graceful" "--fastcgi" ], [ "--protocol"; "fastcgi"; "--unix"; socket; "--idle"; "100"; "--slow"; "4" ]
          "fastcgi, TCP", [ hello "graceful" "--fastcgi" ], [ "--protocol"; "fastcgi"; "--idle"; "100"; "--slow"; "4" ]
          "unix", both unix "", [ "--unix"; socket; "--idle"; "100"; "--slow"; "4" ]
          // A plain server takes its whole ShutdownTimeout of 30 s for these two, and then cuts them off.
          "websocket", both streams "", [ "--protocol"; "websocket"; "--path"; "/echo"; "--keep-alive"; "32"; "--think"; "20ms"; "--connect"; "4"; "--idle"; "100" ]
          "sse", both streams "", [ "--protocol"; "sse"; "--path"; "/clock"; "--keep-alive"; "64"; "--connect"; "4" ] ]
    let measure (name: string) servers load =
        printfn $"\n==== {name}, {stops} stops of each"
        let report = Path.Combine(folder.FullName, name.Replace(", ", "-").ToLowerInvariant() + ".json")
        File.Delete report
        let code = probe ([ for server in servers do yield! [ "--server"; server ] ] @ [ "--expect-clean"; "graceful"; "--runs"; stops; "--json"; report ] @ load)
        if not (File.Exists report) then fail $"the probe ended with exit code {code} and no report."
        use json = Text.Json.JsonDocument.Parse(File.ReadAllText report)
        let rows =
            [ for server in json.RootElement.GetProperty("servers").EnumerateArray() do
                  let totals = server.GetProperty "totals"
                  let after (outcome: string) = totals.GetProperty("after").GetProperty(outcome).GetInt64()
                  let exits = [ for run in server.GetProperty("runs").EnumerateArray() -> run.GetProperty("signalToExitMs").GetDouble() / 1000.0 ] |> List.sort
                  let median = if exits.IsEmpty then nan else exits[exits.Length / 2]
                  let label = server.GetProperty("label").GetString()
                  let lost = after "lostNew" + after "lostReused"
                  $"""  %-13s{name}%-10s{label}%6d{exits.Length}%10d{after "ok"}%8d{lost}%11d{after "truncated"}%12d{after "unanswered"}%9d{after "crossed"}%12.2f{median}""" ]
        code, rows
    let measured = [ for name, servers, load in all -> measure name servers load ]
    printfn "\n  protocol     server     stops        ok    lost  truncated  unanswered  crossed  exit after, s (median)"
    for _, rows in measured do
        for row in rows do
            printfn $"{row}"
    printfn "\nAfter the signal, all stops together. FastCGI has nothing plain beside it. What the words mean: Graceful.Probe --help. Reports: artifacts/protocols."
    if measured |> List.exists (fun (code, _) -> code <> 0) then exit 1

/// Requests a second of `GET /`, by wrk on one thread with 64 connections.
let rate (seconds: int) port =
    let text = output "wrk" [ "-t1"; "-c64"; $"-d{seconds}"; $"http://127.0.0.1:{port}/" ]
    let number (name: string) = text.Split '\n' |> Array.tryPick (fun line -> if line.Contains name then Some((line.Split ':').[1].Trim()) else None)
    // Errors come fast: what was refused or failed is no rate.
    let isServed = match number "Socket errors" with Some errors -> errors.StartsWith "connect 0, read 0, write 0" | None -> true
    match number "Non-2xx", number "Requests/sec" with
    | None, Some rate when isServed -> float rate
    | _ -> fail $"wrk measured nothing: {text}"

/// Requests a second of `GET /`, in turn plain, graceful, and with hooks, work, health checks and metrics: wrk on one thread
/// with 64 connections.
let throughput (rounds: int) =
    need [ "wrk" ]
    let least = 0.98
    let kinds = [ "plain", 5071, [ "--plain" ]; "graceful", 5072, []; "everything", 5073, [ "--everything" ] ]
    let servers = [ for _, port, options in kinds -> start "dotnet" ([ program "Hello"; "--port"; string port ] @ options) [] true ]
    try
        // The warm-up says at once if one of them did not come up, or if somebody else has its port.
        Threading.Thread.Sleep 2000
        if servers |> List.exists _.HasExited then fail "a server did not start; are the ports 5071 to 5073 free?"
        for _, port, _ in kinds do rate 5 port |> ignore
        let turns =
            [ for round in 1 .. rounds do
                  // Each is the first, the second and the last as often as the others.
                  let order = List.permute (fun i -> (i + round) % 3) kinds
                  let rates = Map [ for name, port, _ in order -> name, rate 5 port ]
                  let at name = rates[name]
                  printfn
                      $"""  [%d{round}/%d{rounds}] plain %7.0f{at "plain"} req/s   graceful %7.0f{at "graceful"} req/s %.3f{at "graceful" / at "plain"}   everything %7.0f{at "everything"} req/s %.3f{at "everything" / at "plain"}"""
                  rates ]
        let median name = (turns |> List.map (fun rates -> rates[name]) |> List.sort)[rounds / 2]
        [ for name in [ "graceful"; "everything" ] do
              let ratio = median name / median "plain"
              let verdict = if ratio >= least then "as promised" else "NOT as promised"
              printfn $"  throughput of {name}, medians: %.3f{ratio} of plain (at least %.2f{least})   {verdict}"
              ratio >= least ]
        |> List.forall id
    finally
        for server in servers do
            server.Kill()
            server.WaitForExit()

let bench (options: string list) =
    let rounds = match options with [ rounds ] -> int rounds | _ -> 7
    built.Force()
    let steps = exitCodeOf "dotnet" [ program "Graceful.Benchmarks" ] [] = 0
    printfn $"GET / under wrk -t1 -c64, {rounds} rounds of 5 s each:"
    if not (throughput rounds && steps) then exit 1

/// The same app behind the same nginx, passed on to by FastCGI and by HTTP, each on a Unix socket with kept connections.
let benchFastCgi (options: string list) =
    let rounds =
        match options with
        | [ rounds ] when rounds <> "" && Seq.forall Char.IsAsciiDigit rounds && int rounds > 0 -> int rounds
        | [] -> 60
        | words -> let text = String.concat " " words in fail $"'{text}' is not a number of rounds, as in: bench-fastcgi 60"
    built.Force()
    need [ "wrk"; "nginx" ]
    let least = 0.9
    let folder = Directory.CreateTempSubdirectory "graceful"
    let file name = Path.Combine(folder.FullName, name)
    let fastCgi, http = 5074, 5075
    let user = if (output "id" [ "-u" ]).Trim() = "0" then "user root;" else ""
    let fastCgiSocket, httpSocket = file "fastcgi.sock", file "http.sock"
    let temporary = [ for name in [ "client_body"; "proxy"; "fastcgi"; "uwsgi"; "scgi" ] -> $"{name}_temp_path {folder.FullName}/{name};" ] |> String.concat " "
    let upstream name socket = $"upstream {name} {{ server unix:{socket}; keepalive 64; keepalive_requests 1000000000; }}"
    let configuration =
        [ $"daemon off; master_process off; pid {folder.FullName}/pid; error_log stderr; {user}"
          "events { worker_connections 1024; }"
          $"http {{ access_log off; keepalive_requests 1000000000; {temporary}"
          upstream "by_fastcgi" fastCgiSocket
          upstream "by_http" httpSocket
          $"server {{ listen 127.0.0.1:{fastCgi}; include /etc/nginx/fastcgi_params; fastcgi_keep_conn on; location / {{ fastcgi_pass by_fastcgi; }} }}"
          $"server {{ listen 127.0.0.1:{http}; proxy_http_version 1.1; proxy_set_header Connection \"\"; location / {{ proxy_pass http://by_http; }} }} }}" ]
    File.WriteAllLines(file "nginx.conf", configuration)
    let servers =
        [ start "dotnet" [ program "Hello"; "--unix"; fastCgiSocket; "--fastcgi" ] [] true
          start "dotnet" [ program "Hello"; "--unix"; httpSocket ] [] true
          start (if File.Exists "/usr/sbin/nginx" then "/usr/sbin/nginx" else "nginx") [ "-p"; folder.FullName; "-c"; file "nginx.conf"; "-e"; "stderr" ] [] true ]
    let end' () =
        for server in servers do
            if not server.HasExited then server.Kill()
            server.WaitForExit()
        folder.Delete true
    // Whatever ends this script, they end with it: `exit` runs no finally.
    AppDomain.CurrentDomain.ProcessExit.Add(fun _ -> end' ())
    // nginx writes its file when its ports are its own.
    let isUp () = [ fastCgiSocket; httpSocket; file "pid" ] |> List.forall File.Exists
    let limit = DateTime.UtcNow.AddSeconds 20.0
    while not (isUp ()) && DateTime.UtcNow < limit && not (servers |> List.exists _.HasExited) do Threading.Thread.Sleep 50
    if not (isUp ()) || servers |> List.exists _.HasExited then fail $"a server did not start; are the ports {fastCgi} and {http} free?"
    for port in [ fastCgi; http; fastCgi; http ] do rate 5 port |> ignore
    // What else the machine does comes and goes within a second, and may halve a rate: so many short runs, close together.
    let turns =
        [ for round in 1 .. rounds do
              let order = if round % 2 = 1 then [ fastCgi; http ] else [ http; fastCgi ]
              let rates = Map [ for port in order -> port, rate 1 port ]
              let byFastCgi, byHttp = rates[fastCgi], rates[http]
              printfn $"  [%2d{round}/%d{rounds}] FastCGI %7.0f{byFastCgi} req/s   HTTP %7.0f{byHttp} req/s   %.3f{byFastCgi / byHttp}"
              byFastCgi, byHttp ]
    let ratio = List.sumBy fst turns / List.sumBy snd turns
    let squares = turns |> List.sumBy (fun (byFastCgi, byHttp) -> (byFastCgi - ratio * byHttp) ** 2.0)
    let error = sqrt (squares * float rounds / float (rounds - 1)) / List.sumBy snd turns
    let verdict = if ratio >= least then "as promised" else "NOT as promised"
    printfn $"  requests behind nginx, all rounds: FastCGI served %.3f{ratio} of HTTP's (standard error %.3f{error}; at least %.2f{least})   {verdict}"
    if ratio < least then exit 1

/// Options go to the walk; `--help` of it says which.
let prove (options: string list) =
    built.Force()
    exit (exitCodeOf "dotnet" (program "Graceful.Proof" :: options) [])

/// Plants the faults of proof/faults.txt in copies of the core, and counts those that the tests catch.
let mutate (words: string list) =
    restored.Force()
    match words with
    | "--adapters" :: folders -> run "dotnet" ([ "fsi"; "proof/adapters.fsx" ] @ folders) []
    | words -> run "dotnet" ([ "fsi"; "proof/mutate.fsx" ] @ words) []

/// Every interleaving of a few actors in the model, and many rounds of real threads around the real cells.
let stress (options: string list) =
    let rounds = match options with [ rounds ] -> rounds | _ -> "1000000"
    if not (Seq.forall Char.IsAsciiDigit rounds) || rounds.TrimStart '0' = "" then fail $"'{rounds}' is not a number of rounds, as in: stress 1000000"
    built.Force()
    let environment = [ ("GRACEFUL_ROUNDS", rounds) ]
    run "dotnet" [ program "Graceful.Core.Tests"; "-class"; "*.InterleavingTests"; "-noLogo" ] environment
    run "dotnet" [ program "Graceful.CSharp.Tests"; "-class"; "Graceful.Tests.Interleavings.*"; "-noLogo" ] environment

/// Random and mutated FastCGI records, at least 100,000, and bodies of a gigabyte.
let fastcgi (options: string list) =
    let records = match options with [ records ] -> records | _ -> "1000000"
    if not (Seq.forall Char.IsAsciiDigit records) || records.TrimStart '0' = "" then fail $"'{records}' is not a number of records, as in: fastcgi 1000000"
    built.Force()
    let environment = [ ("GRACEFUL_FASTCGI_RECORDS", records); ("GRACEFUL_FASTCGI_MIB", "1024") ]
    run "dotnet" [ program "Graceful.CSharp.Tests"; "-class"; "Graceful.Tests.FastCgi.Fuzzed"; "-class"; "Graceful.Tests.FastCgi.Streams"; "-noLogo" ] environment

/// First the lives, with the options given; then, unless one life alone is to be replayed, the races.
let soak (options: string list) =
    built.Force()
    printfn "\n== lives of whole servers in virtual time"
    let code = exitCodeOf "dotnet" (program "Graceful.Soak" :: options) []
    if code <> 0 then exit code
    if not (List.exists (fun option -> List.contains option [ "--lives"; "--plant"; "--help" ]) options) then
        printfn "\n== races of real threads"
        stress []

/// The server comes and goes, its socket stays, and clients aim at the moment when it finds that nobody needs it.
let soakIdle (options: string list) =
    let activations = match options with [ activations ] -> activations | _ -> "10000"
    if not (Seq.forall Char.IsAsciiDigit activations) || activations.TrimStart '0' = "" then
        fail $"'{activations}' is not a number of activations, as in: soak-idle 10000"
    built.Force()
    need [ "systemd-socket-activate" ]
    printfn $"{activations} activations with an idle limit of 200 ms, 4 threads of clients: 0 lost and 0 refused are promised."
    let server = [ "dotnet"; program "Activated"; "--IdleLimit"; "00:00:00.2" ]
    exit (exitCodeOf "dotnet" ([ program "Graceful.Doorkeeper"; "--activations"; activations; "--idle-limit"; "200"; "--" ] @ server) [])

/// HTTP/2 behind HAProxy: two servers take each other's place, under load, and what their clients lose; beside it the same with plain ones.
let takeover (options: string list) =
    let stops = match options with [ stops ] -> stops | _ -> "20"
    if not (Seq.forall Char.IsAsciiDigit stops) || stops.TrimStart '0' = "" then fail $"'{stops}' is not a number of stops, as in: takeover 20"
    built.Force()
    need [ "haproxy"; "h2load" ]
    exit (exitCodeOf "dotnet" [ program "Graceful.Takeover"; "--stops"; stops ] [])

/// Draws the state machines anew, from the steps they take. What stands around the pictures in the pages stays.
let diagrams () =
    built.Force()
    run "dotnet" [ program "Graceful.Diagrams"; "." ] []

let targets: (string * string * (string list -> unit)) list =
    [ "demo", "the main job, seen: the same server plain and graceful, loaded, stopped by SIGTERM, and what its clients saw", ignore >> demo
      "test", "build and run all tests; words choose test projects by name", test
      "prove", "walk every state that the whole system can reach, and check every rule in each", prove
      "soak", "lives of servers by the million in virtual time, then the stress: --events N --seed S, and --help for more", soak
      "soak-idle", "10,000 activations (or as many as you say) of a server that leaves when idle, and clients at the edge: who is lost or refused?", soakIdle
      "stress", "races around the cells and the table: all of the model's, and 1,000,000 rounds (or as many as you say) of real threads", stress
      "fastcgi", "1,000,000 random and mutated FastCGI records (or as many as you say), and a gigabyte up and down", fastcgi
      "mutate", "plant small faults in the core, one at a time: do the tests catch each? words choose by name; --adapters: Stryker on the engine", mutate
      "diagrams", "draw the state machines from the steps they take, into docs/ and README.md", ignore >> diagrams
      "losses", "what is lost in 20 stops (or as many as you say) under each kind of load, beside the plain server", losses
      "takeover", "two HTTP/2 servers behind HAProxy stop in turn, 20 times or as many as you say, under h2load and HttpClient: plain, then graceful", takeover
      "protocols", "what clients of HTTPS, HTTP/2, FastCGI, Unix sockets, WebSocket and event streams lose in 20 stops (or as many as you say)", protocols
      "bench", "what a request costs: the connection's step, processor time, allocations, throughput", bench
      "bench-fastcgi", "requests a second behind nginx, by FastCGI and by HTTP, each on a Unix socket", benchFastCgi
      "pack", "make the NuGet packages, into artifacts/packages; their version is that of CHANGELOG.md's newest heading", ignore >> pack
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
        printfn $"  %-15s{name}{what}"
    exit (if given.IsEmpty then 0 else 1)
