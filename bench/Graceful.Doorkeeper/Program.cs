// Loops of activations: the socket stays open, systemd-socket-activate starts the server when somebody comes, the server leaves when it has been idle for its
// limit, and clients on threads aim connects and requests at the very edge of that decision. Nobody may be lost, nobody refused.
//   Graceful.Doorkeeper [--activations 200] [--idle-limit 200] [--threads 4] [--quiet-period 500] [--seed 1] [--unix 1] -- SERVER...
// The server takes its socket by systemd's protocol, has an idle limit and a quiet period of so many milliseconds, and logs "Leaving: " when it decides to leave.
// Exit code 0: as promised; 1: not, or stopped before (by SIGINT or SIGTERM); 64: usage.
using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using Graceful.Doorkeeper;
using Graceful.Probe;

var settings = new Dictionary<string, int>
{
    ["--activations"] = 200,
    ["--idle-limit"] = 200,
    ["--quiet-period"] = 500,
    ["--threads"] = 4,
    ["--seed"] = 1,
    ["--unix"] = 0,
};
var split = Array.IndexOf(args, "--");
if (split < 0 || split == args.Length - 1 || split % 2 != 0)
{
    return Usage("The server's command is missing after --, or an option has no value");
}

for (var index = 0; index < split; index += 2)
{
    if (!settings.ContainsKey(args[index]) || !int.TryParse(args[index + 1], NumberStyles.None, CultureInfo.InvariantCulture, out var value) || value < 1)
    {
        return Usage($"'{args[index]} {args[index + 1]}' is not one of {string.Join(", ", settings.Keys)} with a whole number from 1");
    }

    settings[args[index]] = value;
}

var wanted = settings["--activations"];
using var socket = new SharedSocket(unix: settings["--unix"] > 0);
var activations = new Activations(socket, args[(split + 1)..]);
var keeping = new Thread(activations.Run);
keeping.Start();
var since = Stopwatch.StartNew();
var said = TimeSpan.Zero;
using var rounds = new Rounds(activations, socket, settings["--threads"], wanted, Milliseconds("--idle-limit"), Milliseconds("--quiet-period"), settings["--seed"])
{
    Progress = rounds =>
    {
        if (since.Elapsed - said > TimeSpan.FromSeconds(10))
        {
            said = since.Elapsed;
            Console.WriteLine(string.Create(
                CultureInfo.InvariantCulture,
                $"  {activations.Count:N0} of {wanted:N0} activations after {said:h\\:mm\\:ss}, {rounds.Of(Outcome.Ok):N0} requests answered, {rounds.Lost} lost, {rounds.Refused} refused; the edge is {rounds.EdgeGuess.TotalMilliseconds:F1} ms after the last answer"));
        }
    },
};
using var interrupted = PosixSignalRegistration.Create(PosixSignal.SIGINT, Stop);
using var terminated = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Stop);
rounds.Run();
activations.End();
keeping.Join();
foreach (var trouble in activations.Troubles)
{
    Console.WriteLine(trouble);
}

var isBroken = rounds.Lost + rounds.Refused > 0 || activations.Troubles.Count > 0;
var isWhole = activations.Count >= wanted;
Console.WriteLine(string.Create(
    CultureInfo.InvariantCulture,
    $"{activations.Count:N0} activations, {rounds.Of(Outcome.Ok):N0} requests answered, {rounds.Lost} lost, {rounds.Refused} refused, {rounds.Of(Outcome.ClosedIdle):N0} kept connections found closed before a request, {rounds.Unpromised:N0} asked too late"));
Console.WriteLine(string.Create(
    CultureInfo.InvariantCulture,
    $"  shots around the decisions to leave: {rounds.Close.One:N0} within 1 ms, {rounds.Close.Five:N0} within 5 ms; {since.Elapsed:h\\:mm\\:ss}; {(isBroken ? "NOT as promised" : isWhole ? "as promised" : "as promised until it was stopped")}"));
foreach (var outcome in Enum.GetValues<Outcome>().Where(outcome => isBroken && rounds.Of(outcome) > 0))
{
    Console.WriteLine($"    {outcome,-16} {rounds.Of(outcome)}");
}

return isWhole && !isBroken ? 0 : 1;

void Stop(PosixSignalContext signal)
{
    signal.Cancel = true;
    rounds.End();
}

TimeSpan Milliseconds(string setting) => TimeSpan.FromMilliseconds(settings[setting]);

static int Usage(string what)
{
    Console.Error.WriteLine($"{what}.\nUsage: Graceful.Doorkeeper [--activations N] [--idle-limit MS] [--quiet-period MS] [--threads N] [--seed N] [--unix 1] -- SERVER...");
    return 64;
}
